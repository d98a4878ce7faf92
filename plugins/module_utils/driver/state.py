# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is on this host of NVIDIA's driver packages, and what an earlier run of ours wrote down about it."""

from __future__ import annotations

import glob
import hashlib
import json
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import dkms, repository, versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

MANIFEST = "/var/lib/mlinfra/nvidia_driver.json"
NOUVEAU = "/etc/modprobe.d/mlinfra-nvidia.conf"
NOUVEAU_TEXT = """\
# Written by role mlinfra.hosts.nvidia_driver: nouveau cannot share a GPU with NVIDIA's driver.
blacklist nouveau
options nouveau modeset=0
"""
FILES = (NOUVEAU, repository.KEYRING, repository.SOURCE, repository.PREFERENCES)
LISTS = "/var/lib/apt/lists"


def look():
    """{packages, files, manifest, sources, lists, running, installed_kernels, header_kernels, loaded, nouveau} of this host."""
    return {
        "packages": packages(),
        "files": {path: digest(path) for path in FILES},
        "manifest": manifest(),
        "sources": {path: read(path) for path in source_files() if path != repository.SOURCE},
        "lists": bool(glob.glob(os.path.join(LISTS, "*_Packages*"))),
        "running": os.uname().release,
        "installed_kernels": dkms.kernels_installed(),
        "header_kernels": dkms.kernels_with_headers(),
        "loaded": os.path.isdir("/sys/module/nvidia"),
        "nouveau": os.path.isdir("/sys/module/nouveau"),
    }


def packages():
    """{name: {version, status, held, broken}} of what dpkg knows, one entry a name."""
    return {name: one for name, one in dpkg.read_status().items() if ":" not in name}


def source_files():
    return ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list") + glob.glob("/etc/apt/sources.list.d/*.sources"))


def digest(path):
    """SHA-256 of a file; None when it is not there."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def manifest(path=MANIFEST):
    """What an earlier run wrote; empty when nothing that can be read."""
    try:
        found = json.loads(read(path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def installed(known, name):
    """Version of a package that is wholly installed, else None."""
    package = known.get(name)
    return package["version"] if package and package["status"] == "installed" and not package["broken"] else None


def driver_packages(known, driver):
    """{name: version} of every installed package of this driver: those that have its version."""
    return {
        name: package["version"]
        for name, package in sorted(known.items())
        if package["version"] and package["status"] == "installed" and versions.upstream(package["version"]) == driver
        and ("nvidia" in name or "cuda" in name) and "pinning" not in name
    }  # fmt: skip
