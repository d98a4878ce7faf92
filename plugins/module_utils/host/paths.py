# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is at a path, and which folders are not as they are wished."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat

LARGEST = 1024 * 1024
KINDS = (
    ("file", stat.S_ISREG),
    ("directory", stat.S_ISDIR),
    ("link", stat.S_ISLNK),
    ("socket", stat.S_ISSOCK),
    ("fifo", stat.S_ISFIFO),
    ("block", stat.S_ISBLK),
    ("character", stat.S_ISCHR),
)
ABSENT = {"exists": False, "kind": None, "mode": None, "owner": None, "group": None, "size": None, "sha256": None, "target": None}


def name_of(lookup, number):
    """Name of a user or group id (pwd.getpwuid, grp.getgrgid), or the number as text when it has none."""
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def owner(status):
    """User name of a file's owner."""
    return name_of(pwd.getpwuid, status.st_uid)


def group(status):
    """Name of a file's group."""
    return name_of(grp.getgrgid, status.st_gid)


def mode(status):
    """'0644'."""
    return "%04o" % stat.S_IMODE(status.st_mode)


def sha256(path, status):
    """Checksum of a regular file of at most LARGEST bytes; None for others, and for what cannot be read."""
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        return None
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def look(path):
    """{exists, kind, mode, owner, group, size, sha256, target} of the path itself: a link is not followed."""
    try:
        status = os.lstat(path)
    except OSError:
        return dict(ABSENT)
    kind = next((name for name, test in KINDS if test(status.st_mode)), None)
    return {
        "exists": True,
        "kind": kind,
        "mode": mode(status),
        "owner": owner(status),
        "group": group(status),
        "size": status.st_size,
        "sha256": sha256(path, status),
        "target": os.readlink(path) if kind == "link" else None,
    }


def as_wished(folder):
    """Whether the folder {path, owner, group, mode} is there as it says; what it leaves out may be anything. A link to one counts."""
    try:
        status = os.stat(folder["path"])
    except OSError:
        return False
    seen = {"owner": owner(status), "group": group(status), "mode": mode(status)}
    wish = {key: folder[key] for key in seen if folder.get(key)}
    if "mode" in wish:
        wish["mode"] = "%04o" % int(wish["mode"], 8)
    return stat.S_ISDIR(status.st_mode) and all(seen[key] == wish[key] for key in wish)
