# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import loaded, secure_boot, user_space

OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22)  Tue\nGCC version: gcc 12.2.0\n"
)
PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\nGCC version:\n"
EFI = "/sys/firmware/efi/efivars/"
GLOBAL, SHIM = "-8be4df61-93ca-11d2-aa0d-00e098032b8c", "-605dab50-e046-4300-abb6-3dd810dd8b23"
LIBRARIES = "/usr/lib/x86_64-linux-gnu/"


@pytest.mark.parametrize(("text", "version", "flavor"), [(OPEN, "580.95.05", "open"), (PROPRIETARY, "535.54.03", "proprietary")])
def test_the_loaded_module(tree, text, version, flavor):
    tree.put("/proc/driver/nvidia/version", text)
    assert loaded.loaded(tree.host) == {"version": version, "flavor": flavor, "is_loaded": True}


def test_a_module_that_only_sysfs_shows(tree):
    tree.put("/sys/module/nvidia/version", "580.95.05\n")
    assert loaded.loaded(tree.host) == {"version": "580.95.05", "flavor": None, "is_loaded": True}


def test_a_module_without_a_readable_version(tree):
    tree.put("/sys/module/nvidia/initstate", "live\n")
    tree.put("/proc/driver/nvidia/version", b"\xff\xfe")
    assert loaded.loaded(tree.host) == {"version": None, "flavor": None, "is_loaded": True}


def test_none(tree):
    assert loaded.loaded(tree.host) == {"version": None, "flavor": None, "is_loaded": False}


@given(st.text())
def test_no_version_text_raises(text):
    assert set(loaded.parse_version("NVRM version: " + text)) == {"version", "flavor"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/modprobe.d/a.conf", "# why\nblacklist   nouveau # never\n"),
        ("/usr/lib/modprobe.d/a.conf", "install nouveau /bin/false\n"),
        ("/run/modprobe.d/a.conf", "install nouveau \\\n /usr/bin/true\n"),
    ],
)
def test_a_file_that_blocks_nouveau(tree, path, text):
    tree.put(path, text)
    assert loaded.nouveau(tree.host) == {"loaded": False, "blocked": True, "blocked_by": [path]}


@pytest.mark.parametrize(
    "text", ["#blacklist nouveau\n", "blacklist nouveaux\n", "options nouveau modeset=0\n", "install nouveau /sbin/modprobe x\n"]
)
def test_a_file_that_does_not(tree, text):
    tree.put("/etc/modprobe.d/a.conf", text)
    tree.put("/etc/modprobe.d/a.conf.bak", "blacklist nouveau\n")
    assert not loaded.nouveau(tree.host)["blocked"]


def test_a_file_of_etc_replaces_its_namesake(tree):
    tree.put("/usr/lib/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    tree.put("/etc/modprobe.d/nvidia.conf", "")
    assert not loaded.nouveau(tree.host)["blocked"]


def test_a_kernel_parameter_blocks_too(tree):
    tree.put("/proc/cmdline", "quiet modprobe.blacklist=foo,nouveau root=/dev/sda1\n")
    assert loaded.nouveau(tree.host)["blocked_by"] == ["kernel parameter modprobe.blacklist=foo,nouveau"]


def test_nouveau_is_loaded(tree):
    tree.put("/proc/modules", "ext4 1 0 - Live 0x0\nnouveau 2 0 - Live 0x0\n")
    assert loaded.nouveau(tree.host)["loaded"]


def put_efi(tree, name, value):
    tree.put(EFI + name, b"\x06\0\0\0" + bytes([value]))


def test_secure_boot(tree):
    assert secure_boot.look(tree.host, container=False) == "unsupported"
    assert secure_boot.look(tree.host, container=True) == "unknown"
    tree.folder(EFI)
    assert secure_boot.look(tree.host, container=False) == "unknown"
    put_efi(tree, "BootOrder" + GLOBAL, 0)
    assert secure_boot.look(tree.host, container=False) == "unsupported"
    put_efi(tree, "SecureBoot" + GLOBAL, 1)
    assert secure_boot.look(tree.host, container=False) == "enabled"
    put_efi(tree, "SetupMode" + GLOBAL, 1)
    assert secure_boot.look(tree.host, container=False) == "disabled"
    put_efi(tree, "SetupMode" + GLOBAL, 0)
    put_efi(tree, "MokSBStateRT" + SHIM, 1)
    assert secure_boot.look(tree.host, container=False) == "disabled"
    tree.put(EFI + "SecureBoot" + GLOBAL, b"odd")
    assert secure_boot.look(tree.host, container=False) == "unknown"


def test_secure_boot_is_off(tree):
    put_efi(tree, "SecureBoot" + GLOBAL, 0)
    assert secure_boot.look(tree.host, container=False) == "disabled"


def test_the_library_that_the_loader_takes_comes_first(tree):
    for version in ("580.95.05", "590.48.01"):
        tree.put(f"{LIBRARIES}libnvidia-ml.so.{version}")
    os.symlink("libnvidia-ml.so.580.95.05", tree.root / (LIBRARIES + "libnvidia-ml.so.1").lstrip("/"))
    assert user_space.versions(tree.host) == ["580.95.05", "590.48.01"]


def test_without_the_loaders_name_the_newest_counts(tree):
    for version in ("580.95.05", "580.126.09"):
        tree.put(f"{LIBRARIES}libcuda.so.{version}")
    tree.put("/usr/lib64/libcuda.so.1.1")
    assert user_space.versions(tree.host) == ["580.126.09", "580.95.05"]


@pytest.mark.parametrize("name", ["libcuda.so.1", "libcuda.so", "libcudart.so.12.2", "libnvidia-ml.so.x.y"])
def test_other_libraries_are_none(tree, name):
    tree.put(LIBRARIES + name)
    assert user_space.versions(tree.host) == []
