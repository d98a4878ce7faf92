# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is on this host of NVIDIA's driver packages, and what an earlier run of ours wrote down about it."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import dkms, repository, versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import recorded
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

MANIFEST = recorded.MANIFEST
# What the host has as pins, and had before (record.py).
PINS = recorded.PINS
# There while a change is under way: a run that was killed leaves it, and the next one knows that these packages are no other's.
BEGUN = recorded.BEGUN
# The files of a driver that no package brought, until the packages in its place have proven good. Not below what an undo sweeps.
ASIDE = "/var/lib/mlinfra-nvidia-aside"
NOUVEAU = "/etc/modprobe.d/mlinfra-nvidia.conf"
NOUVEAU_TEXT = """\
# Written by role mlinfra.hosts.nvidia_driver: nouveau cannot share a GPU with NVIDIA's driver.
blacklist nouveau
options nouveau modeset=0
"""
# NVLink's subnet manager works on it (fabric manager user guide, fourth generation of NVSwitch).
UMAD = "/etc/modules-load.d/mlinfra-nvidia.conf"
UMAD_TEXT = "# Written by role mlinfra.hosts.nvidia_driver for NVLink's subnet manager.\nib_umad\n"
FILES = (
    NOUVEAU, UMAD, repository.KEYRING, repository.SOURCE, repository.PREFERENCES, repository.LOCAL_KEYRING, repository.LOCAL_SOURCE,
    repository.TOOLKIT_SOURCE,
)  # fmt: skip
OWN_SOURCES = (repository.SOURCE, repository.LOCAL_SOURCE, repository.TOOLKIT_SOURCE)
LISTS = "/var/lib/apt/lists"
KEY_FILE = re.compile(r"/[\w./+-]+\.(?:gpg|asc|pgp)\b")


def look():
    """{packages, files, manifest, pins, begun, lost, sources, keyrings, lists, toolkit} and, of kernels and their modules, {running,
    installed_kernels, header_kernels, loaded, nouveau}."""
    sources = {path: read(path) for path in source_files() if path not in OWN_SOURCES}
    return {
        "packages": packages(),
        "files": {path: digest(path) for path in FILES},
        "manifest": manifest(),
        "pins": read(PINS) or "",
        "begun": os.path.exists(BEGUN),
        "lost": lost(),
        "sources": sources,
        "keyrings": keyrings(sources),
        "toolkit": os.path.exists(repository.TOOLKIT_PREFERENCES),
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


def keyrings(sources):
    """{path: bytes} of our own keys and of those that sources are signed by, as far as they are there."""
    found = {}
    for path in {repository.KEYRING, repository.LOCAL_KEYRING}.union(*(KEY_FILE.findall(text or "") for text in sources.values())):
        try:
            with open(path, "rb") as file:
                found[path] = file.read()
        except OSError:
            continue
    return found


def digest(path):
    """SHA-256 of a file; None when it is not there."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def lost(path=BEGUN):
    """Names of what was to go along in a change that was killed: the old names may be gone, and the new ones not yet there."""
    return (read(path) or "").split()


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
        and ("nvidia" in name or "cuda" in name or "nvsdm" in name) and "pinning" not in name
    }  # fmt: skip
