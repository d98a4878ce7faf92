# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which driver branches and kernel modules a GPU architecture works with.

Sources: NVIDIA's CUDA toolkit, driver and architecture matrix (last branches); NVIDIA driver installation guide, "Kernel Modules"
(open modules from Turing on, required from Blackwell on); MIG user guide (first branch that knows Blackwell); read 2026-11.
"""

from __future__ import annotations

# open: whether the open kernel modules know it: no, supported, required. first and last: driver branches, where there is an end.
ARCHITECTURES = {
    "kepler": {"open": "no", "first": None, "last": 470},
    "maxwell": {"open": "no", "first": None, "last": 580},
    "pascal": {"open": "no", "first": None, "last": 580},
    "volta": {"open": "no", "first": None, "last": 580},
    "turing": {"open": "supported", "first": None, "last": None},
    "ampere": {"open": "supported", "first": None, "last": None},
    "ada": {"open": "supported", "first": 525, "last": None},
    "hopper": {"open": "supported", "first": 525, "last": None},
    "blackwell": {"open": "required", "first": 570, "last": None},
}
OTHER = {"open": "proprietary", "proprietary": "open"}


def problems(architectures, flavor, branch, kernel_modules=True):
    """Messages about GPUs that cannot work with this flavor or branch (int, None when the source decides). Unknown names pass."""
    found = []
    for name in sorted(set(architectures)):
        rule = ARCHITECTURES.get(str(name).lower())
        if rule is None:
            continue
        if kernel_modules and {"open": "no", "proprietary": "required"}[flavor] == rule["open"]:
            why = "the open kernel modules begin with Turing" if flavor == "open" else "it needs the open kernel modules"
            found.append("nvidia_driver_flavor is %s: this host has a %s GPU, and %s. Set it to %s." % (flavor, name, why, OTHER[flavor]))
        if branch and rule["last"] and branch > rule["last"]:
            found.append(
                "nvidia_driver_branch is %d: %d is the last one that knows the %s GPU of this host. Set it to %d or lower."
                % (branch, rule["last"], name, rule["last"])
            )
        if branch and rule["first"] and branch < rule["first"]:
            found.append(
                "nvidia_driver_branch is %d: %d is the first one that knows the %s GPU of this host. Set it to %d or higher%s."
                % (branch, rule["first"], name, rule["first"], ", with nvidia_driver_source nvidia")
            )
    return found
