# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""NVIDIA's facts: driver branches, CUDA releases, what GPUs need.

Sources, read 2026-11: the data-center driver lifecycle page (branches); CUDA toolkit release notes (drivers that a toolkit brings, and the
first toolkit that knows a GPU); CUDA compatibility guide (minimum branches); CUDA toolkit, driver and architecture matrix (last CUDA); MIG
user guide (minimum drivers); driver installation guide (kernel modules, names of DKMS). What holds of architectures and branches is in
driver/architectures.py.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions

PAST = "past"


class Branch(NamedTuple):
    """designation: PB (production), LTS, NFB (new features), None where NVIDIA's page could not be asked; end: last month, or ``past``."""

    designation: Optional[str]
    end: Optional[str]


BRANCHES = {
    470: Branch("LTS", PAST),
    535: Branch("LTS", "2026-06"),
    550: Branch("PB", PAST),
    570: Branch("PB", "2026-02"),
    575: Branch("NFB", PAST),
    580: Branch("LTS", "2028-06"),
    590: Branch(None, PAST),
    595: Branch("PB", "2027-03"),
    610: Branch("NFB", "2026-08"),
    615: Branch(None, None),
    620: Branch(None, None),
}
UNKNOWN_BRANCH = Branch(None, None)
DESIGNATIONS = {"production": ("PB", "LTS"), "lts": ("LTS",), "newest": ("PB", "LTS", "NFB", None)}
WORDS = {"PB": "a production branch", "LTS": "a branch with long-term support", "NFB": "a new feature branch"}

# CUDA release, as (major, minor, update): driver that its installer brings, on Linux.
CUDA_DRIVERS = {
    (11, 8, 0): "520.61.05",
    (12, 0, 0): "525.60.13",
    (12, 0, 1): "525.85.12",
    (12, 1, 0): "530.30.02",
    (12, 1, 1): "530.30.02",
    (12, 2, 0): "535.54.03",
    (12, 2, 1): "535.86.09",
    (12, 2, 2): "535.104.05",
    (12, 3, 0): "545.23.06",
    (12, 3, 1): "545.23.08",
    (12, 4, 0): "550.54.14",
    (12, 4, 1): "550.54.15",
    (12, 5, 0): "555.42.02",
    (12, 5, 1): "555.42.06",
    (12, 6, 0): "560.28.03",
    (12, 6, 1): "560.35.03",
    (12, 6, 2): "560.35.03",
    (12, 6, 3): "560.35.05",
    (12, 8, 0): "570.26",
    (12, 8, 1): "570.124.06",
    (12, 9, 0): "575.51.03",
    (12, 9, 1): "575.57.08",
    (13, 0, 0): "580.65.06",
    (13, 0, 1): "580.82.07",
    (13, 0, 2): "580.95.05",
    (13, 1, 0): "590.44.01",
    (13, 1, 1): "590.48.01",
    (13, 2, 0): "595.45.04",
    (13, 2, 1): "595.58.03",
    (13, 2, 2): "595.71.05",
    (13, 3, 0): "610.43.02",
    (13, 3, 1): "610.43.02",
}
# CUDA major: first driver branch that runs any of its releases (minor-version compatibility).
CUDA_BRANCHES = {11: 450, 12: 525, 13: 580}

# First CUDA whose compiler and libraries know the GPU, and last CUDA major.
FIRST_CUDA = {"turing": (10, 0), "ampere": (11, 0), "ada": (11, 8), "hopper": (11, 8), "blackwell": (12, 8)}
LAST_CUDA = {"kepler": 11, "maxwell": 12, "pascal": 12, "volta": 12}
# Compute capability 10.3 came with 12.9, whose first driver is of branch 575.
LATE_MODELS = {"b300": ((12, 9), 575), "gb300": ((12, 9), 575)}

# model: first driver that partitions it. Others of these architectures may or may not be partitioned; earlier ones and Ada never are.
MIG_DRIVERS = {
    "a30": "460.73.01",
    "a100": "450.80.02",
    "h100": "525.85.12",
    "h200": "550.90.07",
    "b200": "570.133.20",
    "b300": "580.82.07",
    "rtx-pro-server-6000": "575.51.03",
    "rtx-pro-4500": "575.64",
}
WITHOUT_MIG = ("t4", "t4g", "a10", "a10g", "l4", "l40", "l40s", "v100")
MIG_ARCHITECTURES = ("ampere", "hopper", "blackwell")

# The NVSwitches of these are no devices of NVIDIA's on the PCI bus, and want the subnet manager besides (fabric manager user guide).
NVLSM_MODELS = ("b200", "b300")
# Their NVLink reaches beyond one host, which takes IMEX of exactly the driver's version.
IMEX_MODELS = ("gb200", "gb300")

FIRST_OPEN_BRANCH = 515
LAST_PROPRIETARY_BRANCH = 615
# From this driver on, both flavors are called nvidia by DKMS.
ONE_DKMS_NAME = "570.148.08"

# Pairs that are known not to build, as this project saw them: (platform, flavor, driver, first kernel, why).
UNBUILDABLE = (
    ("Debian-13", "open", "550.163.01", "6.12.117", "its open modules do not compile against pci_resize_resource of that kernel"),
)


def unbuildable(platform, flavor, driver, kernels):
    """[(kernel, why)] of the kernels that a driver's modules of this flavor are known not to build for."""
    return [
        (kernel, why)
        for bad_platform, bad_flavor, bad_driver, first_kernel, why in UNBUILDABLE
        for kernel in kernels
        if (bad_platform, bad_flavor, bad_driver) == (platform, flavor, driver)
        and versions.kernel_key(kernel) >= versions.kernel_key(first_kernel)
    ]


def branch_of(version):
    """'580.95.05' -> 580."""
    return int(version.split(".")[0])


def branch(number):
    return BRANCHES.get(number, UNKNOWN_BRANCH)


def is_past(end, today):
    """Whether a branch that ends in month ``end`` ('2026-06', ``past`` or None) is out of support on a day ('2026-11-27')."""
    return end == PAST or bool(end) and today[:7] > end


def dkms_name(source, platform, version, flavor):
    """What DKMS calls the driver; None where it is not known, or there are no modules."""
    from_here = [int(part) for part in version.split(".")] >= [int(part) for part in ONE_DKMS_NAME.split(".")]
    if flavor is None or not platform.startswith("Debian") and source == "distribution":
        return None
    if source == "distribution":
        return "nvidia-current-open" if flavor == "open" else "nvidia-current"
    return "nvidia-open" if flavor == "open" and not from_here else "nvidia"
