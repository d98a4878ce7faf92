# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of upgrades begin with: pins, and facts of a host that has one GPU."""

from __future__ import annotations

TOOLKIT, NEWER_TOOLKIT = "1.18.1", "1.19.0"
KERNEL = "6.1.0-98-amd64"
ADDRESS = "0000:00:1e.0"
FIRST, LATER, THIRD = "580.95.05", "595.58.03", "610.43.02"


def pins(driver, flavor="open"):
    names = ["nvidia-driver-cuda"] + (["nvidia-kernel-open-dkms"] if flavor else [])
    packages = dict.fromkeys(names, f"{driver}-1")
    packages.update({f"linux-headers-{KERNEL}": "6.1.198-1", "cuda-toolkit-13-0": "13.0.1-1"})
    return {
        "schema": 1, "platform": "Debian-12", "machine": "x86_64", "source": "nvidia", "gpu": {},
        "wish": {"cuda": None, "framework": None, "mode": "compatible", "mig": False},
        "driver": {"version": driver, "branch": int(driver.split(".")[0]), "flavor": flavor, "dkms": "nvidia"},
        "fabric_manager": None, "nvlsm": None, "cuda": None, "container_toolkit": None, "dcgm": None,
        "kernels": [{"release": KERNEL, "headers": f"linux-headers-{KERNEL}", "image": None}], "packages": packages,
    }  # fmt: skip


def found(driver):
    """As lookup driver_pins says it, of a driver, or of pins."""
    return {"pins": pins(driver) if isinstance(driver, str) else driver, "problems": [], "wish": {"version": driver}}


def facts(driver=FIRST, current=None, previous=None, state="coherent", health="healthy", loaded=None, processes=(), **more):
    """mlinfra_gpu. current, previous: drivers whose pins are written down; loaded: driver of the module, as installed if None."""
    return {
        "present": True,
        "container": False,
        "gpus": [{"address": ADDRESS, "health": {"state": health, "reasons": ["told"]}, "now": {"processes": None}}],
        "users": processes if processes is None else list(processes),
        "driver": {
            "installed": {"version": driver, "managed": True, "source": "packages"},
            "loaded": {"is_loaded": True, "version": loaded or driver},
        },
        "driver_state": state,
        "driver_reasons": ["told"],
        "pins": {"current": pins(current or driver) if driver else None, "previous": pins(previous) if previous else None},
        "kernel": {"running": KERNEL, "newest_installed": KERNEL},
        "engines": {"docker": "20.10.24", "containerd": None, "podman": None, "nvidia_toolkit": TOOLKIT},
        **more,
    }


def with_toolkit(driver, version=NEWER_TOOLKIT):
    """Pins that have the four packages, too."""
    names = ("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools", "libnvidia-container1")
    bare = pins(driver)
    return {**bare, "container_toolkit": f"{version}-1", "packages": {**bare["packages"], **dict.fromkeys(names, f"{version}-1")}}


def record(stage, before=FIRST, to=LATER, failed=None, **more):
    touched = stage in ("install", "reboot", "verify") or stage in ("rollback", "rolled_back", "stranded") and failed != "drain"
    return {
        "schema": 1, "stage": stage, "from": pins(before), "to": pins(to), "toolkit": None, "touched": touched,
        "gpus": {ADDRESS: "healthy"}, "boot": "one", "failed": failed, "why": None, "began": "2026-11-27T10:00:00Z",
        "at": "2026-11-27T10:03:30Z", **more,
    }  # fmt: skip
