# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts say that role nvidia_driver is tested with."""

from __future__ import annotations

INSTALLED = {"version": "580.95.05", "source": "packages", "packages": {"libcuda1": "580.95.05-1", "nvidia-fabricmanager": "580.95.05-1"}}
GPU = {
    "present": True, "count": 8, "models": ["h100"], "architectures": ["hopper"], "nvswitch_count": 0, "container": False,
    "users": [], "driver_state": "absent", "driver_reasons": [], "secure_boot": "disabled", "smi": {"problem": None, "error": None},
    "driver": {"installed": {"version": None, "source": None, "packages": {}}, "loaded": {"is_loaded": False, "version": None},
               "kernel_module_built_for": []},
    "kernel": {"running": "6.1.0-56-amd64", "newest_installed": "6.1.0-56-amd64"},
}  # fmt: skip
IMAGE = {"version": "550.54.15", "source": "files", "managed": False, "packages": {}}
PINS = {
    "schema": 1, "platform": "Debian-12", "machine": "x86_64", "source": "mirror", "wish": {}, "cuda": None, "nvlsm": None,
    "fabric_manager": None,
    "driver": {"version": "580.95.05", "branch": 580, "flavor": "proprietary", "dkms": "nvidia"},
    "kernels": [{"release": "6.1.0-99-amd64", "headers": None, "image": None}],
    "packages": {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-dkms": "580.95.05-1"},
}  # fmt: skip
WORKING = {
    **GPU,
    "driver_state": "coherent",
    "driver": {**GPU["driver"], "installed": INSTALLED, "loaded": {"is_loaded": True, "version": "580.95.05"}},
}
NO_CHANGE = {"changed": False, "load_problem": ""}
BUSY = {"users": [{"pid": 7, "program": "python3"}, {"pid": 8, "program": None}]}


def with_driver(**installed):
    return {"driver": {**GPU["driver"], "installed": {**IMAGE, **installed}}}
