# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who listens on a TCP port of this host, from /proc alone (ss and netstat may be missing).

Formats: https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html and cgroups(7).
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import open_files
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

LISTEN = "0A"


def decode_address(text):
    """'0100007F' or 32 hexadecimal digits -> ip address; the kernel prints 32-bit words in the host's byte order."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return ipaddress.ip_address(raw)


def parse_proc_net(text):
    """/proc/net/tcp or tcp6 -> [(address, port, inode)] of the sockets in LISTEN."""
    sockets = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTEN:
            continue
        address, port = fields[1].split(":")
        sockets.append((decode_address(address), int(port, 16), fields[9]))
    return sockets


def collides(wished, address):
    """Whether a socket on `address` keeps another one from binding `wished` (strings or ip addresses, same port).

    Go takes 0.0.0.0 like ::, as all addresses of both families (net.Listen), so an exporter that wishes it collides with any socket.
    One on :: takes the IPv4 port too unless IPV6_V6ONLY is set, which /proc does not show: it is counted as taken.
    """
    try:
        wish, there = ipaddress.ip_address(wished), ipaddress.ip_address(address)
    except ValueError:
        return True
    there = getattr(there, "ipv4_mapped", None) or there
    if wish.is_unspecified or (there.is_unspecified and there.version == 6):
        return True
    return wish.version == there.version and (there.is_unspecified or wish == there)


def unit_of(cgroup):
    """Text of /proc/PID/cgroup -> name of the innermost systemd service, or None."""
    for line in cgroup.splitlines():
        names = re.findall(r"/([^/]+\.service)(?=/|$)", line.split(":", 2)[-1])
        if names:
            return names[-1]
    return None


def owners(inodes, proc="/proc"):
    """{inode: pid} for socket inodes; needs root to see other users' processes."""
    wanted = {"socket:[%s]" % inode: inode for inode in inodes}
    found = {}
    for pid, targets in open_files.each(proc):
        if len(found) == len(wanted):
            break
        for target in targets or ():
            if target in wanted:
                found.setdefault(wanted[target], pid)
    return found


def listening(port, proc="/proc"):
    """[{address, port, pid, command, unit}] of everything that listens on this TCP port; pid None when nobody shows it."""
    sockets = []
    for name in ("tcp", "tcp6"):
        sockets += [s for s in parse_proc_net(read(os.path.join(proc, "net", name))) if s[1] == port]
    pids = owners([s[2] for s in sockets], proc) if sockets else {}
    result = []
    for address, number, inode in sockets:
        pid = pids.get(inode)
        result.append(
            {
                "address": str(address),
                "port": number,
                "pid": pid,
                "command": read(os.path.join(proc, str(pid), "comm")).strip() if pid else None,
                "unit": unit_of(read(os.path.join(proc, str(pid), "cgroup"))) if pid else None,
            }
        )
    return result
