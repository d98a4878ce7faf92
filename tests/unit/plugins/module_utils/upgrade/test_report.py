# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches and the summary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import report
from tests.unit.plugins.module_utils.upgrade.hosts import FIRST, LATER, pins

PLAN = {"action": "upgrade", "from": pins(FIRST), "to": pins(LATER), "words": None}
ACTIONS = ("none", "skip", "upgrade", "undrain", "return")


@pytest.mark.parametrize(
    ("actions", "canary", "batch", "sizes"),
    [
        (["upgrade"] * 9, 1, "25%", [1, 2, 2, 2, 2]),
        (["upgrade"] * 3, "1", "100%", [1, 2]),
        (["none", "upgrade", "none", "upgrade"], 1, 1, [3, 1]),
        (["upgrade", "none"], 1, 1, [2]),
        (["none", "none"], 1, "25%", [2]),
        ([], 1, "25%", []),
    ],
)
def test_batches(actions, canary, batch, sizes):
    assert report.batches(actions, canary, batch) == sizes


@given(st.lists(st.sampled_from(ACTIONS)), st.integers(1, 9), st.integers(1, 100).map("{}%".format))
def test_no_batch_has_more_work_than_its_share(actions, canary, batch):
    sizes = report.batches(actions, canary, batch)
    assert sum(sizes) == len(actions) and all(size > 0 for size in sizes)
    total = sum(one in report.WORK for one in actions)
    position = 0
    for number, size in enumerate(sizes):
        work = sum(one in report.WORK for one in actions[position : position + size])
        assert work <= (canary if number == 0 else max(1, total * int(batch[:-1]) // 100))
        position += size


@pytest.mark.parametrize("value", ["0", "0%", "-1", "many", "1.5", ""])
def test_size_that_is_none(value):
    with pytest.raises(ValueError, match="expected a number of hosts"):
        report.size(value, 3)


def test_summary_of_a_run_that_stopped():
    outcome = {"result": "returned", "failed": True, "why": "Run the smoke job: nvidia-smi ends with 9.", "seconds": 61}
    told = report.summary(
        {"a": {"plan": PLAN, "started": True, "outcome": outcome}, "b": {"plan": PLAN}, "c": {"plan": {"action": "none"}}}
    )
    assert told["problems"] == [
        "a, driver 580.95.05 to 595.58.03: returned. Run the smoke job: nvidia-smi ends with 9.",
        "The run stopped there: b was not touched.",
    ]
    assert told["table"] == [
        "host  from       to         result     seconds",
        "a     580.95.05  595.58.03  returned   61",
        "b     580.95.05  595.58.03  not begun",
        "c                           unchanged",
    ]


def test_host_that_is_silent_is_a_problem():
    told = report.summary({"a": {"plan": PLAN, "started": True}})
    assert told["problems"] == [
        "a, driver 580.95.05 to 595.58.03: no answer. It does not answer any more. Look at its console, and run the playbook again when it "
        "does."
    ]


def test_prediction():
    told = report.summary({"a": {"plan": PLAN}, "b": {"plan": {**PLAN, "action": "return"}}}, check=True)
    assert [one["result"] for one in told["hosts"].values()] == ["would be upgraded", "would be returned"] and not told["problems"]


def test_pins_alone_are_no_upgrade():
    same = {**PLAN, "to": {**PLAN["from"], "wish": {"cuda": "13.0"}}}
    done = {"plan": same, "started": True, "outcome": {"result": "upgraded"}}
    assert report.row("a", done, False)["result"] == "pinned"
    assert report.row("a", {"plan": same}, True)["result"] == "would be pinned"
    assert report.row("a", {"plan": {**same, "toolkit": {"from": "1", "to": "2"}}}, True)["result"] == "would be upgraded"


def test_pins_that_configure_does_not_know_are_told():
    done = {"plan": PLAN, "started": True, "outcome": {"result": "upgraded"}}
    back = {**done, "outcome": {"result": "returned", "failed": True, "why": "no"}, "forgets": True}
    assert report.summary({"a": done, "b": back})["notes"] == []
    assert report.summary({"a": {**done, "forgets": True}, "b": back, "c": done})["notes"] == [
        "Give nvidia_driver_pins of a the pins of this upgrade in the inventory: without, playbook configure goes back to what is "
        "set there now."
    ]
