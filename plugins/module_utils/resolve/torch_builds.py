# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch's builds: which one the default package index has, and what PyTorch's own indexes call the others. Pure.

PyTorch publishes each release for several CUDA releases, on an index for each (https://pytorch.org/get-started/previous-versions/, as
…/whl/cu128), and one of them on the default index. The local part of a version tells the build: 2.11.0+cu128.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda

#: What is taken from PyTorch's index, and nothing else: each is compiled against one build of torch. All else there is a copy.
OWN = ("torch", "torchaudio", "torchvision")
# CUDA of the build on the default index. Only for advice: what an index has is told by a lock. Read off locks of each release, 2026-11.
DEFAULT = {
    "2.1": "12.1", "2.2": "12.1", "2.3": "12.1", "2.4": "12.1", "2.5": "12.4", "2.6": "12.4", "2.7": "12.6", "2.8": "12.8", "2.9": "12.8",
    "2.10": "12.8", "2.11": "13.0", "2.12": "13.0", "2.13": "13.0", "2.14": "13.0",
}  # fmt: skip
_LABEL = re.compile(r"\+([A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*)\Z")


def label(release):
    """(12, 8, None) -> 'cu128', the name of that index."""
    return "cu%d%d" % release[:2]


def label_of(version):
    """'2.11.0+cu128' -> 'cu128'; None for a version without one."""
    found = _LABEL.search(version)
    return found.group(1) if found else None


def newest_default(fits):
    """'2.10', the newest release whose build on the default index serves; None without one. fits(CUDA release) -> bool."""
    good = [name for name, release in DEFAULT.items() if fits(cuda.parse(release))]
    return max(good, key=lambda one: [int(part) for part in one.split(".")]) if good else None
