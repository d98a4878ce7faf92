# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: what is kept from stage to stage, and what is no record."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import record as stages
from tests.unit.plugins.module_utils.upgrade.hosts import ADDRESS, FIRST, LATER, THIRD, pins, record

NOW = "2026-11-27T11:00:00Z"
BEGIN = {"stage": "drain", "from": pins(FIRST), "to": pins(LATER), "gpus": {ADDRESS: "healthy"}}


def test_life():
    one = stages.following(None, BEGIN, NOW, "one")
    assert one == {**record("drain"), "began": NOW, "at": NOW}
    for stage in ("install", "reboot", "verify", "undrain", "done"):
        one = stages.following(one, {"stage": stage}, "2026-11-27T11:04:00Z", "two")
        assert (one["stage"], one["boot"], one["from"], one["gpus"]) == (stage, "one", pins(FIRST), {ADDRESS: "healthy"})
    assert stages.took(one) == 240 and stages.parse(stages.text(one)) == one


def test_what_goes_wrong_is_kept_with_its_stage():
    back = stages.following(record("verify"), {"stage": "rollback", "why": "no GPU"}, NOW, "two")
    assert (back["failed"], back["why"], back["boot"]) == ("verify", "no GPU", "two")
    end = stages.following(back, {"stage": "rolled_back"}, NOW, "three")
    assert (end["failed"], end["why"], end["boot"]) == ("verify", "no GPU", "two")


@pytest.mark.parametrize("stage", stages.MOVING)
def test_upgrade_that_goes_on_keeps_its_beginning(stage):
    again = stages.following(record(stage), {**BEGIN, "from": pins(LATER), "gpus": {}}, NOW, "two")
    assert {**again, "at": None} == {**record("drain"), "touched": stage != "drain", "at": None}


def test_toolkit_that_is_wished_later_is_written_down_once():
    one = stages.following(record("drain"), {**BEGIN, "toolkit": "1.18.1"}, NOW, "two")
    assert one["toolkit"] == "1.18.1"
    assert stages.following(one, {**BEGIN, "toolkit": "1.19.0"}, NOW, "three")["toolkit"] == "1.18.1"


@pytest.mark.parametrize("stage", stages.STAGES)
def test_record_of_a_release_before_is_read(stage):
    old = {key: value for key, value in record(stage, failed="drain").items() if key not in ("toolkit", "touched")}
    assert stages.parse(json.dumps(old)) == record(stage, failed="drain")


@pytest.mark.parametrize("old", [record("done"), record("rolled_back"), record("install", to=THIRD)])
def test_another_upgrade_begins_anew(old):
    new = stages.following(old, BEGIN, NOW, "two")
    assert (new["began"], new["boot"], new["to"], new["failed"]) == (NOW, "two", pins(LATER), None)


def test_same_stage_again_changes_nothing():
    old = record("install")
    assert stages.following(old, {"stage": "install"}, NOW, "two") is old


@pytest.mark.parametrize(
    ("old", "wish", "told"),
    [
        (None, {"stage": "install"}, "stage is install: no upgrade was begun on this host. Begin with stage drain."),
        (None, {"stage": "drain", "to": pins(LATER)}, "from is missing: stage drain begins an upgrade and wants it."),
        (None, {**BEGIN, "to": {"schema": 7}}, "to: pins.schema is 7"),
        (record("install"), {"stage": "reboot", "to": pins(THIRD)}, "is to driver 595.58.03, and to is of 610.43.02"),
    ],
)
def test_steps_that_cannot_be(old, wish, told):
    assert told in "\n".join(stages.problems(old, wish))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_what_is_no_record_is_none(value):
    assert stages.parse(json.dumps(value)) is None


@given(st.sampled_from(sorted(record("drain"))), st.none() | st.integers() | st.text(max_size=5))
def test_record_that_somebody_edited_is_whole_or_none(key, value):
    parsed = stages.parse(json.dumps({**record("verify"), key: value}))
    assert parsed is None or stages.took(parsed) >= 0


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_text_that_is_none(text):
    assert stages.parse(text) is None
