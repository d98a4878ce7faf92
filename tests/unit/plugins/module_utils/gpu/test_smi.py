# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import smi
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.running import Outcome

GPU = """<gpu id="00000000:00:1E.0"><product_name>NVIDIA A10G</product_name><product_architecture>Ampere</product_architecture>
<persistence_mode>Enabled</persistence_mode><mig_mode><current_mig>N/A</current_mig><pending_mig>N/A</pending_mig></mig_mode>
<mig_devices>None</mig_devices><uuid>GPU-1</uuid><fb_memory_usage><total>23028 MiB</total><used>12 MiB</used></fb_memory_usage>
<ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode></gpu>"""
MIG = """<gpu id="00000000:10:00.0"><product_name>NVIDIA A100</product_name>
<mig_mode><current_mig>Enabled</current_mig><pending_mig>Disabled</pending_mig></mig_mode>
<mig_devices><mig_device><index>0</index><gpu_instance_id>3</gpu_instance_id><compute_instance_id>0</compute_instance_id>
<fb_memory_usage><total>19968 MiB</total></fb_memory_usage></mig_device>
<mig_device><index>1</index><gpu_instance_id>[N/A]</gpu_instance_id></mig_device></mig_devices></gpu>"""


def log(*gpus: str) -> str:
    head = '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>'
    return head + "<driver_version>580.95.05</driver_version><cuda_version>13.0</cuda_version>" + "".join(gpus) + "</nvidia_smi_log>\n"


def test_a_gpu():
    found = smi.understand(Outcome(0, log(GPU)))
    assert found["available"] and (found["version"], found["cuda_version"]) == ("580.95.05", "13.0")
    assert found["error"] is None and found["problem"] is None
    assert found["gpus"] == [
        {
            "index": 0, "address": "0000:00:1e.0", "uuid": "GPU-1", "name": "NVIDIA A10G", "architecture": "Ampere", "memory_mib": 23028,
            "persistence_mode": True, "ecc": True, "mig_mode": None, "mig_pending": None, "mig_devices": [],
        }
    ]  # fmt: skip
    assert smi.mig(found["gpus"]) == {"supported": False, "enabled": False, "pending": False, "devices": 0}


def test_a_gpu_in_pieces():
    (gpu,) = smi.understand(Outcome(0, log(MIG)))["gpus"]
    assert (gpu["mig_mode"], gpu["mig_pending"]) == ("enabled", "disabled")
    assert gpu["mig_devices"] == [
        {"index": 0, "gpu_instance_id": 3, "compute_instance_id": 0, "memory_mib": 19968},
        {"index": 1, "gpu_instance_id": None, "compute_instance_id": None, "memory_mib": None},
    ]
    assert smi.mig([gpu]) == {"supported": True, "enabled": True, "pending": True, "devices": 2}
    assert smi.mig([]) is None


@pytest.mark.parametrize(
    ("code", "text", "problem"),
    [
        (9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that …", "no_driver"),
        (18, "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95", "version_mismatch"),
        (15, "Unable to determine the device handle for GPU0000:00:1E.0: GPU is lost.  Reboot the system", "gpu_lost"),
        (6, "No devices were found", "no_devices"),
        (0, "No devices were found", "no_devices"),
        (18, "", "version_mismatch"),
        (255, "Unknown Error", "other"),
        (-11, "", "other"),
        (0, "", "other"),
    ],
)
def test_why_it_says_nothing(code, text, problem):
    found = smi.understand(Outcome(code, text))
    assert found["problem"] == problem and found["gpus"] == [] and found["error"]
    assert text.split("\n")[0][:40] in found["error"]


def test_gpus_beside_a_lost_one_are_kept():
    found = smi.understand(Outcome(15, log(GPU) + "Unable to determine the device handle for GPU 0000:00:1F.0: GPU is lost.\n"))
    assert [gpu["uuid"] for gpu in found["gpus"]] == ["GPU-1"] and found["problem"] == "gpu_lost"


def test_a_hanging_one():
    found = smi.understand(Outcome(problem="/usr/bin/nvidia-smi did not end within 60 s"))
    assert (found["available"], found["problem"], found["error"]) == (True, "timeout", "/usr/bin/nvidia-smi did not end within 60 s")


@pytest.mark.parametrize("text", [log(GPU)[:-40], "<?xml version='1.0'?><html/>", '<?xml version="1.0" encoding="klingon"?><a/>'])
def test_what_is_no_such_document_is_an_error(text):
    found = smi.understand(Outcome(0, text))
    assert found["problem"] == "other" and found["error"].startswith("what nvidia-smi printed cannot be read") and found["gpus"] == []


def test_entities_are_not_expanded():
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cccc">]><nvidia_smi_log>&b;</nvidia_smi_log>'
    assert "entities" in smi.understand(Outcome(0, bomb))["error"]


@given(st.integers(-20, 300), st.text(), st.integers(0, 2000), st.text(max_size=40))
def test_no_output_raises(code, text, cut, put):
    whole = log(GPU, MIG)
    for out in (text, whole[:cut] + put + whole[cut:], whole[:cut]):
        found = smi.understand(Outcome(code, out))
        assert set(found) == {"available", "version", "cuda_version", "error", "problem", "gpus"}
        smi.mig(found["gpus"])
