# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The driver's user space: which version the libraries are that programs load. It may come from packages or from NVIDIA's installer."""

from __future__ import annotations

import os
import re

TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu")
# 64-bit folders first: the others may hold libraries for 32-bit programs.
FOLDERS = (
    *("/usr/lib/" + triplet for triplet in TRIPLETS),
    *("/usr/lib/%s/nvidia/current" % triplet for triplet in TRIPLETS),
    "/usr/lib64",
    "/usr/lib64/nvidia",
    "/usr/lib",
    "/usr/local/nvidia/lib64",
)
LIBRARY = re.compile(r"^lib(?:nvidia-ml|cuda)\.so\.(\d+\.\d+(?:\.\d+)*)$")
LINKS = ("libnvidia-ml.so.1", "libcuda.so.1")


def order(version):
    return [int(part) for part in version.split(".")]


def versions(host):
    """Versions of the driver's libraries, the one that is used first: that which the loader's name leads to, then the newest."""
    for folder in FOLDERS:
        names = host.names(folder) if host.is_folder(folder) else []
        found = {match.group(1) for match in map(LIBRARY.match, names) if match}
        used = [LIBRARY.match(os.path.basename(os.path.realpath(host.path(folder, "/", link)))) for link in LINKS if link in names]
        first = [match.group(1) for match in used if match][:1]
        if found or first:
            return first + sorted(found - set(first), key=order, reverse=True)
    return []
