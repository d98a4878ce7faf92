# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and package sources to resolve for: the shapes of EC2's GPU hosts, and what repositories of the day could offer."""

from __future__ import annotations

TODAY = "2026-11-27"
KERNELS = {"Debian-12": "6.1.0-56-amd64", "Debian-13": "6.12.90+deb13-amd64", "Ubuntu-22": "6.8.0-1030-aws", "Ubuntu-24": "6.14.0-1012-aws"}
PLATFORMS = {name: {"platform_names": [name], "architecture": "x86_64"} for name in KERNELS}
SHAPES = {
    "t4": {"models": ["t4"], "architectures": ["turing"], "nvswitch_count": 0},
    "a10g": {"models": ["a10g"], "architectures": ["ampere"], "nvswitch_count": 0},
    "a100": {"models": ["a100"], "architectures": ["ampere"], "nvswitch_count": 6},
    "h100": {"models": ["h100"], "architectures": ["hopper"], "nvswitch_count": 4},
    "l40s": {"models": ["l40s"], "architectures": ["ada"], "nvswitch_count": 0},
    "b200": {"models": ["b200"], "architectures": ["blackwell"], "nvswitch_count": 0},
}
# Newest last, as no package manager lists them: the order must not matter.
DRIVERS = ("535.309.01", "550.163.01", "570.195.03", "580.95.05", "580.178.04", "595.71.05", "595.112.07", "610.57.04")
TOOLKIT = ("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools", "libnvidia-container1")
DCGM = ("core", "cuda12", "cuda13", "proprietary")


def gpu(shape: str, platform: str = "Debian-12", **other) -> dict:
    """A host of this shape, with headers of its kernel to be had, not installed."""
    return {**SHAPES[shape], "present": True, "kernel": {"running": KERNELS[platform], "installed": [KERNELS[platform]]}, **other}


def nvidia(platform: str = "Debian-12", drivers=DRIVERS, fabric=None) -> dict[str, list[str]]:
    """What NVIDIA's repositories and the distribution offer; fabric: drivers that there is a fabric manager of, all by default."""
    found: dict[str, list[str]] = {}
    for driver in drivers:
        branch = int(driver[:3])
        by_branch = platform.startswith("Ubuntu") and branch < 590
        names = ["nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-kernel-dkms"]
        if by_branch:
            names = [f"nvidia-utils-{branch}", f"libnvidia-compute-{branch}", f"nvidia-dkms-{branch}-open", f"nvidia-dkms-{branch}"]
            names.append(f"nvidia-compute-utils-{branch}")
        if fabric is None or driver in fabric:
            names.append("nvidia-fabricmanager" if branch >= 580 else f"nvidia-fabricmanager-{branch}")
        for name in names:
            found.setdefault(name, []).append(f"{driver}-1")
    found["nvlsm"] = ["2025.03.1-1", "2025.10.14-1"]
    found.update({name: ["1.18.1-1", "1.20.1-1", "1.19.0-1"] for name in TOOLKIT})
    found.update({f"datacenter-gpu-manager-4-{part}": ["1:4.4.1-1", "1:4.5.0-1"] for part in DCGM})
    found.update({"cuda-toolkit-12-8": ["12.8.0-1", "12.8.1-1"], "cuda-toolkit-13-0": ["13.0.2-1"]})
    kernel = KERNELS[platform]
    found.update({f"linux-headers-{kernel}": ["1.0-1"], f"linux-image-{kernel}": ["1.0-1"]})
    return found


def debian(platform: str, driver: str, open_driver: str | None = None) -> dict[str, list[str]]:
    """What Debian's own non-free offers."""
    kernel = KERNELS[platform]
    return {
        **{name: [f"{driver}-1~deb12u1"] for name in ("nvidia-smi", "libcuda1", "libnvidia-ml1", "nvidia-kernel-dkms")},
        "nvidia-open-kernel-dkms": [f"{open_driver or driver}-1~deb12u1"],
        f"linux-headers-{kernel}": ["6.1.170-1"],
    }
