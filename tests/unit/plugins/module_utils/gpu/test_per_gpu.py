# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bus and nvidia-smi do not always agree."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import per_gpu, smi
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.running import Outcome
from tests.unit.plugins.module_utils.gpu.conftest import bus_of, recorded

ADDRESSES = ["0000:%s:00.0" % bus for bus in ("53", "64", "75", "86", "97", "a8", "b9", "ca")]


def look(bus, outcome=None, said=None):
    return per_gpu.look(bus, said or smi.understand(outcome), outcome)


def states(gpus):
    return [gpu["health"]["state"] for gpu in gpus]


def without(text, address):
    """The document without one GPU."""
    start = text.index('<gpu id="0000%s">' % address.upper())
    return text[:start] + text[text.index("</gpu>", start) + len("</gpu>") :]


def test_eight_of_eight():
    gpus, unread = look(bus_of(*ADDRESSES), Outcome(0, recorded("h100x8_v12")))
    assert [gpu["address"] for gpu in gpus] == ADDRESSES and states(gpus) == ["healthy"] * 8
    assert unread == []


def test_one_that_has_fallen_off_the_bus():
    bus = bus_of(*ADDRESSES)
    bus["devices"][3]["responds"] = False
    said = "Unable to determine the device handle for GPU3: 0000:86:00.0: Unknown Error\n"
    gpus, unread = look(bus, Outcome(15, without(recorded("h100x8_v12"), ADDRESSES[3]) + said))
    assert states(gpus) == ["healthy"] * 3 + ["failed"] + ["healthy"] * 4
    assert "it does not answer on the PCI bus" in gpus[3]["health"]["reasons"] and gpus[3]["uuid"] is None
    assert {"what": "nvidia-smi gpu", "why": "it counts 8 attached GPUs and shows 7"} in unread


def test_one_that_nvidia_smi_does_not_show():
    gpus, unread = look(bus_of(*ADDRESSES), Outcome(0, without(recorded("h100x8_v12"), ADDRESSES[0])))
    assert states(gpus) == ["failed"] + ["healthy"] * 7 and gpus[0]["health"]["reasons"] == ["nvidia-smi does not show it"]


def test_one_that_is_lost_and_no_document():
    said = "Unable to determine the device handle for GPU0000:64:00.0: GPU is lost.  Reboot the system to recover this GPU\n"
    gpus, unread = look(bus_of(*ADDRESSES[:2]), Outcome(15, said))
    assert states(gpus) == ["unknown", "failed"] and "nvidia-smi says that it is lost" in gpus[1]["health"]["reasons"]
    assert unread[0]["what"] == "nvidia-smi" and "GPU is lost" in unread[0]["why"]


def test_one_that_is_shown_twice():
    text = recorded("t4_v11")
    gpu = text[text.index("<gpu ") : text.index("</gpu>") + len("</gpu>")]
    gpus, unread = look(bus_of("0000:00:1e.0"), Outcome(0, text.replace("</gpu>", "</gpu>" + gpu)))
    assert states(gpus) == ["unknown"] and gpus[0]["health"]["reasons"] == ["nvidia-smi shows it 2 times"]
    broken = gpu.replace("<pending_retirement>No", "<pending_retirement>Yes")
    assert states(look(bus_of("0000:00:1e.0"), Outcome(0, text.replace("</gpu>", "</gpu>" + broken)))[0]) == ["degraded"]


def test_one_at_an_address_that_the_bus_does_not_have():
    gpus, unread = look(bus_of("0000:00:1f.0"), Outcome(0, recorded("t4_v11")))
    assert [(gpu["address"], gpu["health"]["state"]) for gpu in gpus] == [("0000:00:1f.0", "failed"), ("0000:00:1e.0", "unknown")]


def test_gpus_without_a_bus_to_see():
    hidden = {"devices": [], "nvswitch_count": 0, "bus": False}
    (gpu,), unread = look(hidden, Outcome(0, recorded("t4_v11")))
    assert (gpu["health"]["state"], gpu["responds"], gpu["model"]) == ("healthy", None, "t4")


def test_one_for_a_virtual_machine():
    (gpu,), unread = look(bus_of("0000:00:1f.0", kernel_driver="vfio-pci"), Outcome(0, "<nvidia_smi_log/>"))
    assert gpu["health"] == {"state": "unknown", "reasons": ["vfio-pci has it, for a virtual machine"]}


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."), "couldn't communicate"),
        (Outcome(18, "Failed to initialize NVML: Driver/library version mismatch"), "version mismatch"),
        (Outcome(0, "No devices were found"), "No devices were found"),
        (Outcome(0, recorded("t4_v11")[:900]), "cannot be read"),
        (Outcome(problem="nvidia-smi did not end within 60 s", out=recorded("t4_v11")), "did not end"),
    ],
)
def test_a_device_and_no_answer(outcome, words):
    (gpu,), unread = look(bus_of("0000:00:1e.0"), outcome)
    assert gpu["health"]["state"] == "unknown" and words in gpu["health"]["reasons"][0]
    assert (gpu["model"], gpu["uuid"], gpu["mig"]["devices"], gpu["now"]["processes"]) == ("t4", None, [], None)
    assert unread[0]["what"] == "nvidia-smi" and words in unread[0]["why"]


def test_a_device_without_a_driver_and_a_driver_without_a_device():
    (gpu,), unread = look(bus_of("0000:00:1e.0", kernel_driver=None), None, smi.nothing())
    assert gpu["health"] == {"state": "unknown", "reasons": ["there is no nvidia-smi to ask"]} and unread == []
    gpus, unread = look(bus_of(), Outcome(6, "No devices were found"))
    assert gpus == [] and "No devices were found" in unread[0]["why"]
