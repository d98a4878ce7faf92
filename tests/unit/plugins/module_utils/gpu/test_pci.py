# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices, pci
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES

NVIDIA = 0x10DE
IDS = """# a comment
1002  AMD
\t2237  not ours
10de  NVIDIA Corporation
\t1234  GA107 [RTX 3050]
\t\t10de 0001  A board
10df  Emulex
\t1234  not ours either
"""


def test_gpus_are_told_from_their_audio_and_from_others(tree):
    tree.function("0000:00:05.0", 0x1D0F, 0xEC20, 0x020000)
    tree.function("0000:81:00.0", NVIDIA, 0x2237, 0x030200)
    tree.function("0000:81:00.1", NVIDIA, 0x1AEF, 0x040300)
    tree.function("0000:80:00.0", NVIDIA, 0x1EB8, 0x030200)
    found = pci.look(tree.host)
    assert [(gpu["address"], gpu["model"], gpu["architecture"]) for gpu in found["devices"]] == [
        ("0000:80:00.0", "t4", "turing"), ("0000:81:00.0", "a10g", "ampere"),
    ]  # fmt: skip
    assert found["nvswitch_count"] == 0 and found["bus"] and tree.host.unread == []


def test_nvswitches_are_counted_by_themselves(tree):
    for number in range(4):
        tree.function(f"0000:0{number}:00.0", NVIDIA, 0x22A3, 0x068000)
    tree.function("0000:09:00.0", NVIDIA, 0x2330, 0x030200)
    found = pci.look(tree.host)
    assert found["nvswitch_count"] == 4 and [gpu["model"] for gpu in found["devices"]] == ["h100"]


def test_the_configuration_space_serves_where_the_small_files_do_not(tree):
    tree.function("0000:00:1e.0", NVIDIA, 0x2237, 0x030200)
    for name in ("vendor", "device", "class"):
        (tree.root / "sys/bus/pci/devices/0000:00:1e.0" / name).write_text("gone\n")
    (gpu,) = pci.look(tree.host)["devices"]
    assert (gpu["device"], gpu["class"], gpu["model"]) == ("2237", "030200", "a10g")


def test_a_gpu_that_has_fallen_off_the_bus_is_still_one(tree):
    tree.function("0000:00:1e.0", NVIDIA, 0x2330, 0x030200, config=b"\xff" * 64)
    (gpu,) = pci.look(tree.host)["devices"]
    assert gpu["model"] == "h100" and gpu["responds"] is False


def test_which_kernel_driver_has_it(tree):
    tree.function("0000:00:1e.0", NVIDIA, 0x2237, 0x030200)
    os.symlink("../../../bus/pci/drivers/nouveau", tree.root / "sys/bus/pci/devices/0000:00:1e.0/driver")
    assert pci.look(tree.host)["devices"][0]["kernel_driver"] == "nouveau"


def test_a_device_that_the_table_does_not_know_is_named_by_the_hosts_own_database(tree):
    tree.function("0000:01:00.0", NVIDIA, 0x1234, 0x030000)
    tree.function("0000:02:00.0", NVIDIA, 0x4321, 0x030000)
    tree.put("/usr/share/misc/pci.ids", IDS)
    known, unknown = pci.look(tree.host)["devices"]
    assert (known["name"], known["model"], known["architecture"]) == ("GA107 [RTX 3050]", None, "ampere")
    assert (unknown["device"], unknown["name"], unknown["architecture"]) == ("4321", None, None)


def test_no_bus(tree):
    assert pci.look(tree.host) == {"devices": [], "nvswitch_count": 0, "bus": False}


def test_every_model_of_the_ec2_table_has_a_device():
    models = {model for name, model in devices.DEVICES.values()}
    assert {gpu.model for gpu in GPU_TYPES.values()} <= models


@pytest.mark.parametrize(("name", "model"), devices.DEVICES.values())
def test_every_device_has_an_architecture(name, model):
    assert devices.architecture(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(small=st.lists(st.binary(max_size=20), min_size=3, max_size=3), config=st.binary(max_size=80))
def test_nothing_that_a_device_says_raises(tree, small, config):
    for name, content in zip(("vendor", "device", "class"), small):
        tree.put(f"/sys/bus/pci/devices/0000:00:1e.0/{name}", content)
    tree.put("/sys/bus/pci/devices/0000:00:1e.0/config", config)
    pci.look(tree.host)
    vendored = b"\xde\x10" + config[2:]
    tree.put("/sys/bus/pci/devices/0000:00:1e.0/config", vendored)
    tree.put("/sys/bus/pci/devices/0000:00:1e.0/vendor", b"0x10de")
    for gpu in pci.look(tree.host)["devices"]:
        assert gpu["vendor"] == "10de"
