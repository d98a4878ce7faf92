# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What keeps node_exporter from running on a host as wished: pure functions over the wish and what was seen there."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import collectors
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import listeners

SHA256 = re.compile(r"^[0-9a-f]{64}$")
# A path that needs no quoting in a unit file's ExecStart.
PLAIN_PATH = re.compile(r"^/[A-Za-z0-9._/@+:-]*$")


def input_problems(wish):
    """Messages about values that are wrong on any host. wish: the options of module node_exporter_preflight."""
    found = []
    try:
        ipaddress.ip_address(wish["listen_address"])
    except ValueError:
        found.append(
            "node_exporter_listen_address is %r: expected one IPv4 or IPv6 address. Use 0.0.0.0 for all of them, or 127.0.0.1."
            % wish["listen_address"]
        )
    if not 1 <= wish["port"] <= 65535:
        found.append("node_exporter_port is %d: expected 1 to 65535. The usual one is 9100." % wish["port"])
    for option, path in [("node_exporter_textfile_directory", wish["textfile_directory"])] + files(wish):
        if path and not PLAIN_PATH.match(path):
            found.append("%s is %r: expected an absolute path of letters, digits and . _ - + @ :. Use a plainer path." % (option, path))
    if wish["source"] == "release":
        found += release_problems(wish)
    return found


def release_problems(wish):
    """Messages about what a release tarball needs: a version, a base URL and the checksum for this machine's architecture."""
    found = []
    if not re.match(r"^\d+\.\d+\.\d+([-.][0-9A-Za-z.-]+)?$", wish["version"] or ""):
        found.append("node_exporter_version is %r: node_exporter_source release wants one release, as in 1.9.1." % (wish["version"] or ""))
    if not re.match(r"^https?://[^\s/]+", wish["release_url"] or ""):
        found.append(
            "node_exporter_release_url is %r: expected an http or https URL. The tarball is looked for below it, as "
            "v<version>/node_exporter-<version>.linux-<arch>.tar.gz." % (wish["release_url"] or "")
        )
    checksum = (wish["sha256"] or {}).get(wish["architecture"])
    where = "node_exporter_sha256.%s" % wish["architecture"]
    if checksum is None:
        found.append("%s is missing: a release is only installed with its checksum. Take it from the release's sha256sums.txt." % where)
    elif not SHA256.match(str(checksum)):
        expected = "expected 64 hexadecimal digits in lower case. Take it from the release's sha256sums.txt."
        found.append("%s is %r: %s" % (where, str(checksum), expected))
    return found


def files(wish):
    """[(option, path)] of the files on the host that the user named."""
    return [("node_exporter_tls." + name, wish[name]) for name in ("cert_file", "key_file") if wish[name]]


def host_problems(wish, seen):
    """Messages about this host. seen: see node_exporter_preflight.look."""
    found = []
    if not seen["systemd"]:
        found.append(
            "This host does not run systemd (/run/systemd/system is missing): node_exporter is set up as a systemd service. "
            "Use a host that boots with it."
        )
    found += port_problems(wish, seen["listeners"])
    for option, path in files(wish):
        found += file_problems(option, path, seen["files"][path], wish)
    names = seen["collectors"] if stays(wish, seen) else None
    release = "node_exporter %s" % (seen["version"] if names else wish["version"] or "of this distribution")
    if not names:
        names = collectors.known(wish["version"] if wish["source"] == "release" else None)
    return found + collectors.problems(wish["collectors_enabled"], wish["collectors_disabled"], names, release)


def port_problems(wish, holders):
    """One message for each process that keeps the service from listening where it shall. holders: see listeners.listening."""
    addresses = {}
    for holder in holders:
        if holder["unit"] == wish["unit"] or not listeners.collides(wish["listen_address"], holder["address"]):
            continue
        who = "a process that /proc does not show"
        if holder["pid"]:
            who = "%s (pid %d%s)" % (holder["command"], holder["pid"], ", %s" % holder["unit"] if holder["unit"] else "")
        addresses.setdefault(who, []).append(holder["address"])
    return [
        "node_exporter_port is %d: %s listens there already, on %s. "
        "Stop it, or choose another node_exporter_port or node_exporter_listen_address." % (wish["port"], who, " and ".join(addresses[who]))
        for who in addresses
    ]


def file_problems(option, path, state, wish):
    """Messages about one file that the service must read. state: {exists, readable, mode, owner, group}."""
    if not state["exists"]:
        return [
            "%s is %s: there is no such file on this host. Put it there before this role runs, or give its text in the _content option."
            % (option, path)
        ]
    if not state["readable"]:
        return [
            "%s is %s (mode %s, %s:%s): the service runs as %s and cannot read it. "
            "Give its group read access and add that group to node_exporter_groups."
            % (option, path, state["mode"], state["owner"], state["group"], wish["user"])
        ]
    return []


def stays(wish, seen):
    """Whether the exporter that is installed is the wished one, so that nothing is to be installed."""
    if not seen["version"] or (wish["source"] == "package" and not seen["unit_file"]):
        return False
    return wish["source"] == "package" or seen["version"] == wish["version"]
