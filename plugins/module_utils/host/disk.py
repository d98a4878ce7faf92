# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Free space, for files that are still to be written."""

from __future__ import annotations

import os

MIB = 1024 * 1024


def existing(path):
    """The path, or the nearest folder above it that is there."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def free_mib(path):
    """MiB that root can still write at this path."""
    status = os.statvfs(existing(path))
    return status.f_bfree * status.f_frsize // MIB
