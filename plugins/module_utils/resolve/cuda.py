# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""CUDA releases: how they are written, and which GPUs each can be used with."""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import tables

FORM = re.compile(r"^(\d+)\.(\d+)(?:\.(\d+)|\s*U(\d+))?$")


def parse(text):
    """'12.8' -> (12, 8, None); '12.8.1' and '12.8 U1' -> (12, 8, 1); None for what is no release."""
    found = FORM.match(str(text).strip())
    if not found:
        return None
    update = found.group(3) or found.group(4)
    return int(found.group(1)), int(found.group(2)), int(update) if update else None


def text(release):
    """(12, 8, 1) -> '12.8.1'; an update of 0 or None is left out."""
    return "%d.%d" % release[:2] + (".%d" % release[2] if release[2] else "")


def known():
    """'11.8, 12.0, …': the releases of the tables without their updates."""
    return ", ".join("%d.%d" % pair for pair in sorted({release[:2] for release in tables.CUDA_DRIVERS}))


def toolkit_package(release):
    return "cuda-toolkit-%d-%d" % release[:2]


def toolkit_release(version):
    """The release in a toolkit package's version, as 12.8.1-1; None when it has none that the tables know."""
    found = re.match(r"^(?:\d+:)?(\d+)\.(\d+)\.(\d+)", version)
    release = tuple(int(part) for part in found.groups()) if found else None
    return release if release in tables.CUDA_DRIVERS else None


def first_for(gpu):
    """First (major, minor) that knows a GPU ({model, architecture}); None when any does."""
    late = tables.LATE_MODELS.get(gpu["model"])
    return late[0] if late else tables.FIRST_CUDA.get(gpu["architecture"])


def last_for(gpu):
    """Last major that knows a GPU; None when there is no end."""
    return tables.LAST_CUDA.get(gpu["architecture"])


def minimum(release, mode):
    """(first driver that runs this release, why), as text; mode: strict or compatible."""
    if mode == "strict":
        driver = tables.CUDA_DRIVERS[(release[0], release[1], release[2] or 0)]
        return driver, "CUDA %s brings driver %s, and mode is strict" % (text(release), driver)
    branch = tables.CUDA_BRANCHES[release[0]]
    return str(branch), "CUDA %d runs from branch %d on" % (release[0], branch)
