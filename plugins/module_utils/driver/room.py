# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether there is room for a change that apt has simulated: a driver or a toolkit is gigabytes, and dpkg on a full disk leaves halves."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import room
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt


def problems(program, names, actions, options=()):
    """Messages about file systems that are too small.

    program: apt.Apt; names, options: those of the simulation; actions: what it returned.
    """
    new = {one["name"]: one["new"] for one in actions if one["action"] == "install"}
    if not new:
        return []
    quiet = ("-o", "Debug::NoLocking=1", "-qq", "--print-uris", "-y")
    uris = program.get("sizes", *options, *apt.ALLOWED, *quiet, "install", *names)
    exact = ["%s=%s" % pair for pair in sorted(new.items())]
    shown = program.call("apt-cache show", ["apt-cache", *options, "show", "--no-all-versions", *exact])
    upgraded = [one["name"] for one in actions if one["name"] in new and one["old"]]
    return ["%s Nothing was changed." % one for one in room.problems(list(new), *room.sizes(uris, shown, upgraded))]
