# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How packages are called: the driver's by platform, source and branch, and what goes with it.

Sources: NVIDIA's driver installation guide (compute-only installation; Ubuntu's packages carry the branch in their names below 590), fabric
manager user guide, DCGM 4 and container toolkit installation guides; the packages themselves for Debian; packages.ubuntu.com for Ubuntu.
Role nvidia_driver has the same names in vars/main/platforms.yml.
"""

from __future__ import annotations

import re

_UNIFIED = {"user": ["nvidia-driver-cuda"], "open": ["nvidia-kernel-open-dkms"], "proprietary": ["nvidia-kernel-dkms"]}
_UBUNTU_NVIDIA = {
    "user": ["nvidia-utils-BRANCH", "libnvidia-compute-BRANCH"],
    "open": ["nvidia-dkms-BRANCH-open"],
    "proprietary": ["nvidia-dkms-BRANCH"],
    "persistence": "nvidia-compute-utils-BRANCH",
}
_UBUNTU = {
    "user": ["nvidia-utils-BRANCH-server", "libnvidia-compute-BRANCH-server"],
    "open": ["nvidia-dkms-BRANCH-server-open"],
    "proprietary": ["nvidia-dkms-BRANCH-server"],
    "persistence": "nvidia-compute-utils-BRANCH-server",
}
_DEBIAN = {
    "user": ["nvidia-smi", "libcuda1", "libnvidia-ml1"],
    "open": ["nvidia-open-kernel-dkms"],
    "proprietary": ["nvidia-kernel-dkms"],
}
_RPM = {"user": ["nvidia-driver-cuda"], "open": ["kmod-nvidia-open-dkms"], "proprietary": ["kmod-nvidia-latest-dkms"]}

PLATFORMS = ("Debian-12", "Debian-13", "Ubuntu-22", "Ubuntu-24", "RedHat-family-9", "Amazon-2023")
# Folders of NVIDIA's repositories, as in the role's vars: by platform, and by machine where it is called otherwise.
REPOSITORIES = "https://developer.download.nvidia.com/compute/cuda/repos"
FOLDERS = {
    "Debian-12": "debian12", "Debian-13": "debian13", "Ubuntu-22": "ubuntu2204", "Ubuntu-24": "ubuntu2404", "RedHat-family-9": "rhel9",
    "Amazon-2023": "amzn2023",
}  # fmt: skip
MACHINES = {"x86_64": "x86_64", "aarch64": "sbsa"}
SOURCES = ("nvidia", "mirror", "local", "distribution")
CONTAINER_TOOLKIT = ("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools", "libnvidia-container1")
DCGM = "datacenter-gpu-manager-4"
NVLSM = "nvlsm"
# Every name that any of this is made of, for asking a package manager.
INTERESTING = re.compile(
    r"^(nvidia-(driver-cuda|smi|(compute-)?utils-\d+(-server)?|kernel(-open)?-dkms|open-kernel-dkms|dkms-\d+(-server)?(-open)?)"
    r"|kmod-nvidia-(open|latest)-dkms|libcuda1|libnvidia-ml1|libnvidia-compute-\d+(-server)?"
    r"|nvidia-fabric-?manager(-\d+)?|nvlsm|cuda-toolkit-\d+-\d+|nvidia-container-toolkit(-base)?|libnvidia-container(-tools|1)"
    r"|datacenter-gpu-manager-4-(core|cuda\d+|proprietary)|kernel(\d+\.\d+)?-devel"
    r"|(libnvidia-nscq|libnvsdm|nvidia-imex)(-\d+)?)$"
)
# What has to be of the driver's version and is no part of a driver: NVSwitch's query library, NVSwitch's management, and IMEX of GB200 and
# GB300. Names by branch as NVIDIA's gpu-driver-container (rhel9/nvidia-driver, ubuntu22.04/install.sh: the branch is in them below 580) and
# yum-packaging-libnvidia-nscq have them; packages.ubuntu.com for Ubuntu's own, which all have it; Debian has none.
_BESIDE = re.compile(r"^(libnvidia-nscq|libnvsdm|nvidia-imex)(-\d+)?$")


def is_rpm(platform):
    return not platform.startswith(("Debian", "Ubuntu"))


def how_to_add(platform, machine):
    """A sentence: how NVIDIA's repository becomes a source of a host, as its driver installation guide says."""
    folder = FOLDERS[platform]
    url = "%s/%s/%s" % (REPOSITORIES, folder, MACHINES.get(machine, machine))
    if is_rpm(platform):
        return "dnf config-manager --add-repo %s/cuda-%s.repo" % (url, folder)
    return "install %s/cuda-keyring_1.1-1_all.deb (dpkg -i), then run apt-get update" % url


def platform_of(platform_names):
    """The first of a host's names that the tables know, None when there is none."""
    return next((name for name in platform_names if name in PLATFORMS), None)


def distribution_has(platform):
    """Whether the distribution itself has drivers."""
    return not is_rpm(platform)


def _table(platform, source, branch):
    if source == "distribution":
        return (_UBUNTU if platform.startswith("Ubuntu") else _DEBIAN) if distribution_has(platform) else {}
    if is_rpm(platform):
        return _RPM
    return _UBUNTU_NVIDIA if platform.startswith("Ubuntu") and branch < 590 else _UNIFIED


def driver(platform, source, branch, flavor):
    """Names of the packages of a driver; flavor None: without kernel modules. The first one is of its user space."""
    table = _table(platform, source, branch)
    found = table.get("user", []) + (table.get(flavor, []) if flavor else [])
    return [name.replace("BRANCH", str(branch)) for name in found]


def persistence(platform, source, branch, flavor):
    """Package with the persistence daemon of a driver that has kernel modules; None where the driver's own packages want it anyway.

    None for Debian's own driver, too: its daemon is a package of another version, whose script makes an account that no undo takes away.
    """
    name = _table(platform, source, branch).get("persistence")
    return name.replace("BRANCH", str(branch)) if name and flavor else None


def fabric_manager(platform, source, branch):
    """Name of the fabric manager of a branch; None where there is none."""
    if source == "distribution":
        return "nvidia-fabricmanager-%d" % branch if platform.startswith("Ubuntu") else None
    if branch >= 580:
        return "nvidia-fabricmanager"
    return "nvidia-fabric-manager" if is_rpm(platform) else "nvidia-fabricmanager-%d" % branch


def beside(name, branch, source="nvidia"):
    """What a package that goes with a driver, and is no part of it, may be called for a branch, the usual name first.

    Empty for any other package. Which of them it is, the source says: each has one, as a rule.
    """
    match = _BESIDE.match(name)
    if not match:
        return []
    plain, named = match.group(1), "%s-%d" % (match.group(1), branch)
    return [named, plain] if branch < 580 or source == "distribution" else [plain, named]


def rpm_kernel(platform, kernel):
    """Package of a kernel of rpm. Amazon Linux 2023 has its first series (6.1) as kernel, and each later one under a name of its own.

    Source: AWS's AL2023 user guide, Updating the Linux kernel (kernel6.12, with kernel6.12-devel beside it).
    """
    series = re.match(r"(\d+)\.(\d+)", kernel)
    if platform == "Amazon-2023" and series and (int(series.group(1)), int(series.group(2))) > (6, 1):
        return "kernel" + series.group(0)
    return "kernel"


def headers(platform, kernel):
    """(package, version or None for any) of a kernel's headers."""
    if is_rpm(platform):
        return rpm_kernel(platform, kernel) + "-devel", kernel.rsplit(".", 1)[0]
    return "linux-headers-%s" % kernel, None


def image(platform, kernel):
    """Package of the kernel itself; None where its name does not tell the release."""
    return None if is_rpm(platform) else "linux-image-%s" % kernel
