# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No fault is called healthy: by hand, where each field says what it can say, and by chance."""

from __future__ import annotations

import copy
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import per_gpu, smi
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.running import Outcome
from tests.unit.plugins.module_utils.gpu.conftest import DOCUMENTS, bus_of, recorded
from tests.unit.plugins.module_utils.gpu.test_details import NO_BUS

NAMES = sorted(path.stem for path in DOCUMENTS.glob("*.xml"))
ROOTS = {name: ElementTree.fromstring(recorded(name)) for name in NAMES}
T4, A10G = "0000:00:1e.0", "0000:00:1e.0"


def look(text, bus=NO_BUS, code=0):
    outcome = Outcome(code, text)
    return per_gpu.look(bus, smi.understand(outcome), outcome)


def with_text(name, tag, text, which=0):
    """A document in which the which-th element of this tag says something else."""
    root = copy.deepcopy(ROOTS[name])
    list(root.iter(tag))[which].text = text
    return ElementTree.tostring(root, encoding="unicode")


def health(text, bus=NO_BUS):
    return look(text, bus)[0][0]["health"]


@pytest.mark.parametrize(
    ("name", "tag", "text", "state"),
    [
        ("a10g_v12", "remapped_row_failure", "Yes", "failed"),
        ("a10g_v12", "remapped_row_pending", "Yes", "degraded"),
        ("a10g_v12", "row_remapper_histogram_none", "3 bank(s)", "degraded"),
        ("a10g_v12", "reset_required", "Yes", "failed"),
        ("a10g_v12", "drain_and_reset_recommended", "Yes", "degraded"),
        ("a10g_v12", "clocks_event_reason_hw_slowdown", "Active", "degraded"),
        ("a10g_v12", "clocks_event_reason_hw_thermal_slowdown", "Active", "degraded"),
        ("a10g_v12", "sram_uncorrectable", "1", "degraded"),
        ("a10g_v12", "remapped_row_corr", "2", "healthy"),
        ("a10g_v12", "remapped_row_unc", "2", "healthy"),
        ("t4_v11", "pending_retirement", "Yes", "degraded"),
        ("t4_v11", "pending_blacklist", "Yes", "degraded"),
        ("t4_v11", "clocks_throttle_reason_hw_power_brake_slowdown", "Active", "degraded"),
        ("h100x8_v12", "gpu_recovery_action", "GPU Reset", "failed"),
        ("h100x8_v12", "gpu_recovery_action", "Drain and Reset", "degraded"),
        ("h100x8_v12", "sram_threshold_exceeded", "Yes", "failed"),
        ("h100x8_v12", "channel_repair_pending", "Yes", "degraded"),
        ("h100x8_v12", "tpc_repair_pending", "Yes", "degraded"),
        ("h100x8_v12", "dram_uncorrectable", "7", "degraded"),
        ("b200_v13", "state", "In Progress", "failed"),
        ("b200_v13", "status", "Failure", "failed"),
        ("b200_v13", "summary", "Unhealthy", "degraded"),
        ("b200_v13", "route_unhealthy", "True", "degraded"),
        ("b200_v13", "bandwidth", "Degraded", "degraded"),
        ("a100_mig_v12", "pending_mig", "Disabled", "healthy"),
        ("a100_mig_v12", "sram_uncorrectable", "1", "degraded"),
        ("a10g_v12", "pending_ecc", "Disabled", "healthy"),
        ("a10g_v12", "uuid", "GPU is lost", "failed"),
        ("a10g_v12", "gpu_temp", "[GPU requires reset]", "failed"),
        ("a10g_v12", "gpu_temp", "ERR!", "unknown"),
        ("a10g_v12", "gpu_temp", "N/A", "healthy"),
        ("a10g_v12", "gpu_temp", "garbage", "healthy"),
    ],
)
def test_what_a_gpu_says_of_itself(name, tag, text, state):
    found = health(with_text(name, tag, text))
    assert found["state"] == state and bool(found["reasons"]) is (state != "healthy")


@pytest.mark.parametrize("text", ["ERR!", "Unknown Error", "[Unknown Error]", "Insufficient Permissions", "perhaps", "", "-1", "1e9"])
@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("a10g_v12", "remapped_row_pending"),
        ("a10g_v12", "remapped_row_failure"),
        ("a10g_v12", "reset_required"),
        ("a10g_v12", "sram_uncorrectable"),
        ("a10g_v12", "dram_uncorrectable"),
        ("t4_v11", "remapped_rows"),
        ("t4_v11", "pending_retirement"),
        ("t4_v11", "retired_count"),
        ("h100x8_v12", "sram_threshold_exceeded"),
        ("h100x8_v12", "sram_uncorrectable_parity"),
        ("h100x8_v12", "clocks_event_reason_hw_slowdown"),
    ],
)
def test_an_answer_that_decides_and_cannot_be_read(name, tag, text):
    gpus, unread = look(with_text(name, tag, text))
    assert gpus[0]["health"]["state"] == "unknown" and gpus[0]["health"]["reasons"]
    assert any(tag in entry["what"] and entry["why"] for entry in unread), unread


@pytest.mark.parametrize("text", ["N/A", "[N/A]", "Not Supported", "Requested functionality has been deprecated"])
@pytest.mark.parametrize("tag", ["remapped_row_pending", "reset_required", "sram_uncorrectable", "minor_number", "compute_mode"])
def test_a_value_that_there_is_not_is_no_news(tag, text):
    gpus, unread = look(with_text("a10g_v12", tag, text))
    assert gpus[0]["health"]["state"] == "healthy" and unread == []


def test_a_fault_that_is_said_twice_and_denied_once():
    root = copy.deepcopy(ROOTS["a10g_v12"])
    rows = root.find("gpu/remapped_rows")
    for text in ("Yes", "No"):
        ElementTree.SubElement(rows, "remapped_row_failure").text = text
    gpus, unread = look(ElementTree.tostring(root, encoding="unicode"))
    assert gpus[0]["row_remaps"]["failure"] is True and gpus[0]["health"]["state"] == "failed" and unread == []


def test_too_little_is_not_healthy():
    bare = "<nvidia_smi_log><gpu id='00000000:00:1E.0'><uuid>GPU-%s</uuid></gpu></nvidia_smi_log>" % ("0" * 36)
    assert health(bare)["state"] == "unknown"
    memory = "<fb_memory_usage><total>23028 MiB</total></fb_memory_usage>"
    assert health(bare.replace("</gpu>", memory + "</gpu>"))["state"] == "unknown"
    assert health(bare.replace("</gpu>", memory + "<gpu_recovery_action>None</gpu_recovery_action></gpu>"))["state"] == "healthy"


# By chance. Faults that a mutation is not to hide; each is put into the last GPU, and a mutation never takes its own element away.
FAULTS = [
    ("a10g_v12", "remapped_row_failure", "Yes"),
    ("a10g_v12", "remapped_row_pending", "Yes"),
    ("a10g_v12", "reset_required", "Yes"),
    ("t4_v11", "pending_retirement", "Yes"),
    ("b200_v13", "sram_threshold_exceeded", "Yes"),
    ("h100x8_v12", "tpc_repair_pending", "Yes"),
    ("l40s_v12", "channel_repair_pending", "Yes"),
    ("a100_mig_v12", "uuid", "GPU is lost"),
    ("b200_v13", "gpu_temp", "ERR!"),
]
TEXTS = st.sampled_from(["N/A", "[N/A]", "ERR!", "Unknown Error", "Requested functionality has been deprecated", "", "No", "0"]) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=12
)
TAGS = sorted({element.tag for root in ROOTS.values() for element in root.iter()})
MUTATIONS = st.lists(
    st.tuples(st.sampled_from("drop twice rename text".split()), st.integers(0, 5000), st.sampled_from(TAGS), TEXTS), max_size=8
)


def mutate(root, mutations, keep=None):
    """Change the tree in place; the GPU that holds ``keep`` stays at its address, and so does ``keep`` below it."""
    for kind, number, tag, text in mutations:
        parents = {below: above for above in root.iter() for below in above}
        kept, place = set(), keep
        while place is not None:
            kept.add(place)
            place = parents.get(place)
        chosen = list(root.iter())[number % len(list(root.iter()))]
        if chosen is root or chosen in kept:
            continue
        if kind == "drop":
            parents[chosen].remove(chosen)
        elif kind == "twice":
            parents[chosen].append(copy.deepcopy(chosen))
        elif kind == "rename":
            chosen.tag = tag if tag not in ("gpu", "nvidia_smi_log") else "something_new"
        else:
            chosen.text = text
    return ElementTree.tostring(root, encoding="unicode")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FAULTS), MUTATIONS)
def test_no_mutation_makes_a_fault_healthy(fault, mutations):
    name, tag, text = fault
    root = copy.deepcopy(ROOTS[name])
    faulty = list(root.iter(tag))[-1]
    faulty.text = text
    address = smi.address(root.findall("gpu")[-1].get("id"))
    gpus, _unread = look(mutate(root, mutations, faulty), bus_of(address))
    (found,) = [gpu for gpu in gpus if gpu["address"] == address]
    assert found["health"]["state"] != "healthy", found["health"]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), MUTATIONS, st.integers(0, 60000), st.text(max_size=30), st.integers(0, 40), st.integers(-9, 255))
def test_no_document_raises(name, mutations, cut, put, end, code):
    text = mutate(copy.deepcopy(ROOTS[name]), mutations)
    address = smi.address(ROOTS[name].find("gpu").get("id"))
    for out in (text, text[: cut % len(text)], text[: cut % len(text)] + put + text[cut % len(text) + end :], put):
        gpus, unread = look(out, bus_of(address), code)
        assert [gpu["address"] for gpu in gpus].count(address) == 1
        assert all(set(entry) == {"what", "why"} and entry["why"] for entry in unread)
        for gpu in gpus:
            assert gpu["health"]["state"] in ("healthy", "degraded", "failed", "unknown")
            assert bool(gpu["health"]["reasons"]) is (gpu["health"]["state"] != "healthy")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.integers(1, 60000))
def test_a_truncated_document_makes_nothing_healthy(name, cut):
    text = recorded(name)
    text = text[: cut % text.rindex("</nvidia_smi_log>")]
    address = smi.address(ROOTS[name].find("gpu").get("id"))
    gpus, unread = look(text, bus_of(address))
    assert [gpu["health"]["state"] for gpu in gpus] == ["unknown"] and [entry["what"] for entry in unread] == ["nvidia-smi"]
