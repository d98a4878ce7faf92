# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether this host's file systems have room for what apt would fetch and unpack."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import simulation
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.disk import existing
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

ARCHIVES = "/var/cache/apt/archives"
PROGRAMS = "/usr"


def sizes(uris, shown, upgraded):
    """(bytes to fetch, bytes by which the packages grow).

    uris: output of `apt-get --print-uris`; shown: of `apt-cache show` for what would be installed; upgraded: names that are there already.
    """
    old = simulation.installed_bytes(read(os.path.join(dpkg.ROOT, "status"))) if upgraded else {}
    grown = simulation.growth(simulation.installed_bytes(shown), {name: old.get(name, 0) for name in upgraded})
    return simulation.download_bytes(uris), grown


def problems(names, download, grown):
    """Messages about file systems that are too small. names: of what would be installed; download, grown: bytes."""
    places = [existing(path) for path in (ARCHIVES, PROGRAMS)]
    archives, programs = ((os.stat(path).st_dev, path) for path in places)
    wanted = simulation.needs(archives, programs, download, grown)
    free = {}
    for path in places:
        status = os.statvfs(path)
        free[path] = status.f_bfree * status.f_frsize
    return simulation.space_problems(wanted, free, names)
