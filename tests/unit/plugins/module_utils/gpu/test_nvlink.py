# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links that are read, those that are a fault, and those that are inactive for a reason."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import nvlink, per_gpu, smi
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.running import Outcome
from tests.unit.plugins.module_utils.gpu.conftest import bus_of, recorded

SAMPLES = Path(__file__).parent / "nvlink_txt"
A100, V100, H100, H100_PCIE, T4 = 0x20B0, 0x1DB5, 0x2330, 0x2331, 0x1EB8
H100S = ["0000:%s:00.0" % bus for bus in ("53", "64", "75", "86", "97", "a8", "b9", "ca")]
COMPLETED = {"state": "Completed"}


def sample(name):
    return (SAMPLES / (name + ".txt")).read_text()


def gpus(device, *uuids, mig=None, fabric=None):
    return [
        {"address": None, "index": index, "uuid": uuid, "device": device, "mig": {"current": mig, "pending": mig}, "fabric": fabric}
        for index, uuid in enumerate(uuids)
    ]


def told(found):
    """[reason] of each GPU that is degraded, with its number."""
    return {number: [reason for _state, reason in verdict] for number, verdict in enumerate(found[1]) if verdict}


def whole(name, links, bus=None):
    """The GPUs of a document and a text of links."""
    outcome = Outcome(0, recorded(name))
    hidden = {"devices": [], "nvswitch_count": 0, "bus": False}
    return per_gpu.look(bus or hidden, smi.understand(outcome), outcome, lambda: Outcome(0, links) if isinstance(links, str) else links)


def test_eight_with_all_links():
    bus = dict(bus_of(*H100S, device="2330"), nvswitch_count=4)
    found, unread = whole("h100x8_v12", sample("h100x8"), bus)
    assert unread == [] and {gpu["health"]["state"] for gpu in found} == {"healthy"}
    assert found[7]["nvlink"] == {"state": "active", "links": [{"link": n, "active": True, "gb_per_s": 26.562} for n in range(18)]}


@pytest.mark.parametrize("switches", [4, 0])
def test_a_dead_link_of_a_fabric_degrades_its_gpu_only(switches):
    """With NVSwitches on the bus, or where the document says that the GPU is registered, as where the bus is hidden."""
    before, marker, after = sample("h100x8").partition("GPU 3:")
    text = before + marker + after.replace("Link 7: 26.562 GB/s", "Link 7: <inactive>", 1)
    found, _unread = whole("h100x8_v12", text, dict(bus_of(*H100S, device="2330"), nvswitch_count=switches))
    assert [gpu["health"]["state"] for gpu in found] == ["healthy"] * 3 + ["degraded"] + ["healthy"] * 4
    assert found[3]["health"]["reasons"] == ["1 of its 18 NVLinks are inactive: 7"]
    assert found[3]["nvlink"]["state"] == "partial"
    assert found[3]["nvlink"]["links"][7] == {"link": 7, "active": False, "gb_per_s": None}


def test_all_inactive_where_a_fabric_is_expected():
    said = "GPU 1: NVIDIA B200 (UUID: GPU-d0e1f2a3-b4c5-5d6e-8f70-8192a3b4c501)\n"
    said += "NVML: Unable to retrieve NVLink information as all links are inActive\n"
    found, unread = whole("b200_v13", said)
    assert found[1]["nvlink"] == {"state": "inactive", "links": []} and found[1]["health"]["reasons"] == ["all its NVLinks are inactive"]
    assert found[0]["nvlink"] is None and [entry["why"] for entry in unread] == ["it says nothing of the links"]


def test_a_machine_with_one_gpu_of_a_board_has_nothing_to_link_it_to():
    said = "GPU 0: NVIDIA H100 80GB HBM3\n\t Link 0: <inactive>\n\t Link 1: <inactive>\n"
    for fabric in (None, {"state": "Not Supported"}, COMPLETED):
        found = nvlink.look(gpus(H100, "GPU-1", fabric=fabric), Outcome(0, said), 0)
        assert found[0][0]["state"] == "inactive" and told(found) == {}
    assert told(nvlink.look(gpus(H100, "GPU-1"), Outcome(0, said), 4)) == {0: ["all its NVLinks are inactive"]}


def test_a_gpu_in_mig_mode_uses_no_links():
    found, unread = whole("a100_mig_v12", sample("a100_sxm_mig"), {"devices": [], "nvswitch_count": 6, "bus": False})
    assert [gpu["nvlink"]["state"] for gpu in found] == ["inactive", "active"] and found[1]["nvlink"]["links"][0]["gb_per_s"] == 25
    assert not [reason for gpu in found for reason in gpu["health"]["reasons"] if "NVLink" in reason]
    assert not [entry for entry in unread if "nvlink" in entry["what"]]
    other = sample("a100_sxm_mig").replace("Link 11: 25 GB/s", "Link 11: <inactive>")
    found, _unread = whole("a100_mig_v12", other, {"devices": [], "nvswitch_count": 6, "bus": False})
    assert "1 of its 12 NVLinks are inactive: 11" in found[1]["health"]["reasons"]


def test_boards_that_are_wired_to_each_other():
    found = nvlink.look(gpus(V100, *"abcd"), Outcome(0, sample("v100_sxm")), 0)
    assert [one["state"] for one in found[0]] == ["active"] * 3 + ["partial"] and found[2] == []
    assert told(found) == {3: ["4 of its NVLinks are active, another GPU like it has 6"]}
    half = "".join("GPU %d: Tesla V100\n" % n + "\t Link 0: 25.781 GB/s\n\t Link 1: <inactive>\n" for n in range(4))
    assert told(nvlink.look(gpus(V100, *"abcd"), Outcome(0, half), 0)) == {}, "a part of a board lacks links on all GPUs alike"
    board = gpus(A100, *"abcd")
    board[0]["mig"]["current"] = "enabled"
    assert told(nvlink.look(board, Outcome(0, sample("v100_sxm")), 0)) == {}, "links to a GPU in MIG mode are inactive on both ends"


def test_cards_with_bridges_and_without_are_no_fault():
    uuids = ["GPU-11111111-2222-3333-4444-55555555550%d" % number for number in range(3)]
    found = nvlink.look(gpus(H100_PCIE, *uuids), Outcome(0, sample("h100_pcie")), 0)
    assert [one["state"] for one in found[0]] == ["partial", "partial", "inactive"] and told(found) == {} and found[2] == []
    said = "GPU 0: NVIDIA H100 PCIe\n\t NVML: Unable to retrieve NVLink information: Not Supported\n"
    assert nvlink.look(gpus(H100_PCIE, "GPU-1"), Outcome(0, said), 0) == ([None], [[]], [])


def test_the_uuid_counts_before_the_number():
    uuids = ["GPU-11111111-2222-3333-4444-55555555550%d" % number for number in (2, 0, 1)]
    found = nvlink.look(gpus(H100_PCIE, *uuids), Outcome(0, sample("h100_pcie")), 0)
    assert [one["state"] for one in found[0]] == ["inactive", "partial", "partial"]


def test_of_two_lines_for_a_link_the_worse_one_counts():
    for lines in (("<inactive>", "25.781 GB/s"), ("25.781 GB/s", "<inactive>"), ("0 GB/s", "25.781 GB/s")):
        said = "GPU 0: Tesla V100\n" + "".join("\t Link 0: %s\n" % line for line in lines)
        assert nvlink.look(gpus(V100, "a"), Outcome(0, said), 0)[0][0]["links"] == [{"link": 0, "active": False, "gb_per_s": None}]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Outcome(problem="/usr/bin/nvidia-smi did not end within 3 s"), "/usr/bin/nvidia-smi did not end within 3 s"),
        (Outcome(3, "", "Invalid combination of input arguments.\n"), "it returned 3: Invalid combination of input arguments."),
        (Outcome(0, ""), "it says nothing of the links"),
        (Outcome(0, "GPU 0: NVIDIA H100 80GB HBM3\n\t Link 0: <asleep>\n"), "it says Link 0: <asleep>"),
        (Outcome(0, "GPU 0: NVIDIA H100 80GB HBM3\n\t Unable to query\n"), "it says Unable to query"),
    ],
)
def test_what_cannot_be_read_is_told_and_is_no_fault(outcome, why):
    found = nvlink.look(gpus(H100, "GPU-1", fabric=COMPLETED), outcome, 4)
    assert [entry["why"] for entry in found[2]] == [why] and found[1] == [[]]


def test_it_is_asked_only_where_a_gpu_may_have_links():
    asked = []
    for name, count in (("t4_v11", 0), ("l40s_v12", 0), ("a10g_v12", 0), ("b200_v13", 1)):
        outcome = Outcome(0, recorded(name))
        hidden = {"devices": [], "nvswitch_count": 0, "bus": False}
        per_gpu.look(hidden, smi.understand(outcome), outcome, lambda: asked.append(1))
        assert len(asked) == count, name


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SAMPLES.glob("*.txt"))), st.randoms(), st.text(max_size=40), st.integers(-9, 255), st.sampled_from((0, 4)))
def test_no_text_raises(path, chance: random.Random, put, code, switches):
    lines = path.read_text().splitlines()
    for _round in range(chance.randrange(4)):
        place = chance.randrange(len(lines))
        at = chance.randrange(len(lines[place]) + 1)
        lines[place] = chance.choice([put, lines[place][:at] + put + lines[place][at:], lines[place][:at], lines[0] + put])
        chance.shuffle(lines)
    text = "\n".join(lines)
    for device in (A100, V100, H100, H100_PCIE, T4, None):
        for outcome in (Outcome(code, text), Outcome(0, put), Outcome(None, text, put, "it did not end")):
            found, verdicts, notes = nvlink.look(gpus(device, "GPU-1", None, fabric=COMPLETED), outcome, switches)
            json.dumps(found)
            assert all(set(note) == {"what", "why"} and note["why"] for note in notes)
            for one, verdict in zip(found, verdicts):
                assert one is None or (one["state"] in ("active", "partial", "inactive", None) and set(one) == {"state", "links"})
                assert not verdict or (one["state"] in ("partial", "inactive") and device in nvlink.BOARDS)
