# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DKMS's tree, machine owner keys, and what joins GPUs."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import dkms, interconnect, mok

KERNEL, VERSION = "6.1.0-41-amd64", "580.95.05"
TREE = "/var/lib/dkms/nvidia"
EFI = "/sys/firmware/efi/efivars/"
SHIM = "-605dab50-e046-4300-abb6-3dd810dd8b23"
OWN, OTHER = b"\x30\x82own certificate", b"\x30\x82another, longer certificate"


def build(tree, kernel=KERNEL, version=VERSION):
    tree.put(f"{TREE}/{version}/{kernel}/x86_64/module/nvidia.ko")


def install(tree, kernel=KERNEL, version=VERSION):
    os.symlink(f"{version}/{kernel}/x86_64", tree.root / f"{TREE}/kernel-{kernel}-x86_64".lstrip("/"))


def states(tree):
    return [(entry["version"], entry["kernel"], entry["state"]) for entry in dkms.look(tree.host)]


def test_states_of_dkms(tree):
    assert dkms.look(tree.host) == []
    source = tree.folder("/usr/src/nvidia-580.95.05")
    tree.folder(f"{TREE}/{VERSION}")
    os.symlink(source, tree.root / f"{TREE}/{VERSION}/source".lstrip("/"))
    assert states(tree) == [(VERSION, None, "added")]
    tree.folder(f"{TREE}/{VERSION}/build")
    assert states(tree) == [(VERSION, None, "added")]
    build(tree)
    assert states(tree) == [(VERSION, KERNEL, "built")]
    install(tree)
    assert dkms.look(tree.host) == [
        {"name": "nvidia", "version": VERSION, "kernel": KERNEL, "architecture": "x86_64", "state": "installed"}
    ]


def test_a_newer_version_is_built_and_not_installed(tree):
    build(tree)
    install(tree)
    build(tree, version="590.48.01")
    assert states(tree) == [(VERSION, KERNEL, "installed"), ("590.48.01", KERNEL, "built")]


def test_a_version_without_its_source(tree):
    tree.folder(f"{TREE}/{VERSION}")
    os.symlink("/usr/src/gone", tree.root / f"{TREE}/{VERSION}/source".lstrip("/"))
    assert states(tree) == [(VERSION, None, "broken")]
    tree.put("/var/lib/dkms/zfs/2.1.1/source/x")
    assert len(states(tree)) == 1 and tree.host.unread == []


def signatures(*certificates, kind=mok.X509):
    lists = [(kind, 28 + 16 + len(der), 0, 16 + len(der), b"o" * 16 + der) for der in certificates]
    return b"".join(struct.pack("<16sIII", *entry[:4]) + entry[4] for entry in lists)


def test_machine_owner_keys(tree):
    nothing = {"enrolled": None, "pending": None, "keys": []}
    assert mok.look(tree.host, container=False) == nothing
    tree.folder(EFI)
    tree.put("/var/lib/dkms/mok.pub", OWN)
    assert mok.look(tree.host, container=True) == nothing
    assert mok.look(tree.host, container=False) == {
        "enrolled": None, "pending": False, "keys": [{"path": "/var/lib/dkms/mok.pub", "enrolled": None}],
    }  # fmt: skip
    tree.put(EFI + "MokListRT" + SHIM, b"\x06\0\0\0" + signatures(OTHER))
    tree.put(EFI + "MokNew" + SHIM, b"\x06\0\0\0x")
    found = mok.look(tree.host, container=False)
    assert (found["enrolled"], found["pending"], found["keys"][0]["enrolled"]) == (1, True, False)
    tree.put(EFI + "MokListRT" + SHIM, b"\x06\0\0\0" + signatures(OTHER, OWN) + signatures(OWN, kind=b"\0" * 16))
    found = mok.look(tree.host, container=False)
    assert (found["enrolled"], found["keys"][0]["enrolled"]) == (2, True)


def test_the_key_that_dkms_is_told_to_use_comes_first(tree):
    tree.folder(EFI)
    tree.put("/etc/dkms/framework.conf", '# mok_certificate=/no\nmok_certificate="/etc/keys/our.der"\n')
    tree.put("/etc/keys/our.der", OWN)
    tree.put("/var/lib/shim-signed/mok/MOK.der", OTHER)
    assert [key["path"] for key in mok.look(tree.host, container=False)["keys"]] == [
        "/etc/keys/our.der",
        "/var/lib/shim-signed/mok/MOK.der",
    ]


@given(st.binary(max_size=200), st.integers(0, 100))
def test_no_list_of_keys_raises(data, cut):
    for text in (data, signatures(OWN, OTHER)[:cut], signatures(OWN)[:cut] + data, mok.X509 + data):
        found = mok.certificates(text)
        assert found is None or all(isinstance(der, bytes) for der in found)


def test_switches_and_adapters(tree):
    assert interconnect.look(tree.host) == {"nvswitches": [], "efa": {"devices": [], "module": {"is_loaded": False, "version": None}}}
    tree.function("0000:53:00.0", 0x10DE, 0x2330, 0x030200)
    tree.function("0000:54:00.0", 0x10DE, 0x22A3, 0x068000)
    tree.function("0000:55:00.0", 0x10DE, 0x1AF1, 0x068000, b"\xff" * 64)
    tree.function("0000:56:00.0", 0x1D0F, 0xEFA2, 0x020000)
    tree.function("0000:57:00.0", 0x1D0F, 0xEC20, 0x020000)
    tree.function("0000:58:00.0", 0x15B3, 0x1021, 0x020700)
    os.symlink("../../../bus/pci/drivers/efa", tree.root / "sys/bus/pci/devices/0000:56:00.0/driver")
    tree.put("/sys/module/efa/version", "2.13.0g\n")
    found = interconnect.look(tree.host)
    assert found["nvswitches"] == [
        {"address": "0000:54:00.0", "device": "22a3", "name": "GH100 [H100 NVSwitch]", "kernel_driver": None, "responds": True},
        {"address": "0000:55:00.0", "device": "1af1", "name": "GA100 [A100 NVSwitch]", "kernel_driver": None, "responds": False},
    ]
    assert found["efa"] == {
        "devices": [{"address": "0000:56:00.0", "device": "efa2", "kernel_driver": "efa", "responds": True}],
        "module": {"is_loaded": True, "version": "2.13.0g"},
    }


@pytest.mark.parametrize("device", [0xEFA0, 0xEFA1, 0xEFA2, 0xEFA3])
def test_each_generation_of_efa(tree, device):
    tree.function("0000:56:00.0", 0x1D0F, device, 0x020000)
    assert len(interconnect.look(tree.host)["efa"]["devices"]) == 1
