# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who holds the locks of apt and dpkg. Both lock with fcntl, whose holder the kernel names (F_GETLK, fcntl(2))."""

from __future__ import annotations

import fcntl
import os
import struct

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

# In the order in which apt takes them.
FILES = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/cache/apt/archives/lock",
    "/var/lib/apt/lists/lock",
)
FREE = {"held": False, "pid": None, "command": None}
# struct flock of 64-bit Linux: type, whence, start, length, pid.
FLOCK = "hhqqi4x"


def holder(path):
    """{held, pid, command} of one lock file. pid and command are null when its process is not visible from here."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return dict(FREE)
    try:
        wish = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, wish))
    except OSError:
        return dict(FREE)
    finally:
        os.close(descriptor)
    kind, pid = answer[0], answer[-1]
    if kind == fcntl.F_UNLCK:
        return dict(FREE)
    return {"held": True, "pid": pid or None, "command": command(pid) if pid else None}


def command(pid, proc="/proc"):
    """Command line of a process on one line; its short name when it has none."""
    words = read(os.path.join(proc, str(pid), "cmdline")).replace("\0", " ").strip()
    return words or read(os.path.join(proc, str(pid), "comm")).strip() or None


def apt_lock(files=FILES):
    """holder() of the first lock that is held, with its file as `path`; FREE when none is."""
    for path in files:
        found = holder(path)
        if found["held"]:
            return dict(found, path=path)
    return dict(FREE, path=None)
