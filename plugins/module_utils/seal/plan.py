# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be done to seal a host: steps, each with a path, in the order of the table."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import places

# What logrotate and the like have put aside.
ROTATED = re.compile(r"\.(gz|xz|zst|bz2|old|[0-9]+)$")


def homes(passwd):
    """Home folders in the text of /etc/passwd, each once; not those that are no folder of anybody."""
    fields = [line.split(":") for line in passwd.splitlines() if line.count(":") == 6]
    return sorted({one[5].rstrip("/") for one in fields if one[5].startswith("/")} - {"", "/nonexistent", "/dev", "/proc", "/bin", "/sbin"})


def expanded(patterns, folders):
    """The patterns, those with ~ once for each home."""
    found = []
    for pattern in patterns:
        found += [folder + pattern[1:] for folder in folders] if pattern.startswith("~") else [pattern]
    return found


def act_on(place, path, kind, size):
    """What is to be done with a path that a place has found, None for nothing. kind: file, folder, link or other."""
    if path in places.KEPT:
        return None
    if place.act == places.LINK:
        return places.LINK if kind == "file" else None
    if place.act != places.EMPTY:
        return place.act
    if path == places.MACHINE_ID:
        return places.EMPTY if kind != "file" or size else None
    if kind != "file" or path.startswith("/var/log/journal/"):
        return None
    return places.REMOVE if ROTATED.search(path) else places.EMPTY if size else None


def kind_of(path):
    if os.path.islink(path):
        return "link"
    return "file" if os.path.isfile(path) else "folder" if os.path.isdir(path) else "other"


def look(folders, wish, root=""):
    """Steps [{what, path, act}] for the host below ``root``. wish: {authorized_keys, cloud_init}: whether these are to be cleaned, too."""
    steps = []
    for place in places.PLACES:
        if place.what == "authorized keys" and not wish["authorized_keys"] or place.act == places.CLEAN and not wish["cloud_init"]:
            continue
        seen = {path for pattern in expanded(place.patterns, folders) for path in glob.glob(root + pattern)}
        for path in sorted(seen):
            kind = kind_of(path)
            act = act_on(place, path[len(root) :], kind, os.path.getsize(path) if kind == "file" else 0)
            steps += [{"what": place.what, "path": path[len(root) :], "act": act}] if act else []
    if not os.path.exists(root + places.MACHINE_ID):
        steps.append({"what": "machine id", "path": places.MACHINE_ID, "act": places.EMPTY})
    return steps


def diff(steps):
    """{before, after} of text: what is there, and what is left of it."""
    left = {places.EMPTY: "empty", places.LINK: "link to " + places.MACHINE_ID, places.STOP: "stopped"}
    return {
        "before": "".join("%s (%s)\n" % (step["path"], step["what"]) for step in steps),
        "after": "".join("%s (%s)\n" % (step["path"], left[step["act"]]) for step in steps if step["act"] in left),
    }
