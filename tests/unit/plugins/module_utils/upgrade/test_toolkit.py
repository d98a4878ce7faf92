# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container toolkit goes with the driver, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import decide, report, toolkit
from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import record as stages
from tests.unit.plugins.module_utils.upgrade.hosts import FIRST, LATER, NEWER_TOOLKIT, TOOLKIT, facts, found, pins, record, with_toolkit

SETTINGS = {
    "upgrade_retry": False, "upgrade_drains": True, "busy": "refuse", "local": False, "upgrade_reboot": "if_required", "toolkit": "",
}  # fmt: skip
WISHED = with_toolkit(LATER)
THERE_AND_BACK = {"from": TOOLKIT, "to": f"{NEWER_TOOLKIT}-1"}


def having(version, **more):
    seen = facts(**more)
    return {**seen, "engines": {**seen["engines"], "nvidia_toolkit": version}}


def plan(seen, old=None, wished=WISHED, **settings):
    return decide.plan("gpu-0", seen, old, found(wished), {**SETTINGS, **settings})


def test_goes_with_the_driver_to_what_the_pins_say():
    assert plan(facts())["toolkit"] == THERE_AND_BACK


def test_version_that_is_wished_counts_more_than_pins():
    assert plan(facts(), toolkit="1.20.0")["toolkit"] == {"from": TOOLKIT, "to": "1.20.0"}


@pytest.mark.parametrize(
    ("seen", "wished", "setting"),
    [
        (facts(), WISHED, None),  # the role does not look after this host
        (facts(), pins(LATER), ""),  # pins without a toolkit
        (having(None), WISHED, ""),  # an upgrade brings no toolkit
        (having("unknown"), WISHED, ""),  # a program of no package
        (having(NEWER_TOOLKIT), WISHED, ""),
    ],
)
def test_stays_otherwise(seen, wished, setting):
    told = plan(seen, wished=wished, toolkit=setting)
    assert (told["action"], told["toolkit"]) == ("upgrade", None)


def test_goes_alone_where_the_driver_is_there():
    seen = facts(LATER, previous=FIRST)
    seen["pins"]["current"] = WISHED
    told = plan(seen)
    assert (told["action"], told["from"], told["toolkit"]) == ("upgrade", WISHED, THERE_AND_BACK)
    assert toolkit.words(told["from"], told["to"], told["toolkit"]) == "container toolkit 1.18.1 to 1.19.0-1"
    assert plan({**seen, "engines": having(NEWER_TOOLKIT)["engines"]})["action"] == "none"


def test_way_back_wants_the_packages_that_pins_know():
    before = with_toolkit(FIRST, TOOLKIT)
    seen = facts()
    seen["pins"]["current"] = before
    assert "libnvidia-container1" in plan(seen)["back"]["packages"]
    seen["pins"]["current"] = with_toolkit(FIRST, "1.17.8")  # not what is there
    assert "libnvidia-container1" not in plan(seen)["back"]["packages"]


@given(
    stage=st.sampled_from((*stages.MOVING, "rollback", "stranded")), now=st.sampled_from((TOOLKIT, NEWER_TOOLKIT, None)),
    setting=st.sampled_from((None, "", "1.20.0")), retry=st.booleans(), wished=st.sampled_from((WISHED, pins(LATER))),
)  # fmt: skip
def test_what_was_there_is_never_lost(stage, now, setting, retry, wished):
    told = plan(having(now), record(stage, toolkit=TOOLKIT), wished, toolkit=setting, upgrade_retry=retry)
    assert told["action"] in ("upgrade", "return") and told["toolkit"]["from"] == TOOLKIT


@pytest.mark.parametrize("stage", ["rollback", "stranded", "rolled_back"])
def test_pins_behind_a_drain_that_failed_are_tried_again(stage):
    old = record(stage, failed="drain", why="no answer", touched=False)
    assert plan(facts(), old, pins(LATER))["action"] == "upgrade"
    assert plan(facts(), {**old, "touched": True}, pins(LATER))["action"] != "upgrade"


@pytest.mark.parametrize(("wanted", "told"), [(None, []), ("1.18.1", []), ("1.18.1-1", []), ("1.19.0-1", ["container toolkit 1.18.1"])])
def test_verdict(wanted, told):
    problems = decide.verdict("gpu-0", facts(LATER), pins(LATER), {}, wanted)
    assert len(problems) == len(told) and all(part in one for part, one in zip(told, problems))


def test_summary_has_a_column_where_one_moves():
    moves = {"action": "upgrade", "from": pins(FIRST), "to": WISHED, "toolkit": THERE_AND_BACK}
    outcome = {"result": "returned", "failed": True, "why": "told", "seconds": 61}
    told = report.summary({"a": {"plan": moves, "started": True, "outcome": outcome}, "b": {"plan": {**moves, "toolkit": None}}})
    assert told["table"] == [
        "host  from       to         result     seconds  toolkit",
        "a     580.95.05  595.58.03  returned   61       1.18.1 to 1.19.0-1",
        "b     580.95.05  595.58.03  not begun",
    ]
    assert told["problems"][0] == "a, driver 580.95.05 to 595.58.03, container toolkit 1.18.1 to 1.19.0-1: returned. told."
    assert told["hosts"]["a"]["toolkit"] == THERE_AND_BACK
