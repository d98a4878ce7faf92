# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which failures inside a fleet's answer are tried again, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet import Refusal
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet_again import Patience, Verdict, untried, verdict
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer

CAPACITY = Refusal(None, "InsufficientInstanceCapacity", "none")
BUSY, BROKEN = Refusal(None, "RequestLimitExceeded", "slow down"), Refusal(None, "InternalError", "sorry")
PROFILE = Refusal(None, "InvalidParameterValue", "Invalid IAM Instance Profile name")
A, B, C = (Offer(name, "us-east-1a", "spot") for name in ("g5.xlarge", "g6.xlarge", "g6e.xlarge"))
ELSEWHERE = Refusal(A, "InvalidFleetConfiguration", "Your requested instance type is not supported in this zone")
TEMPLATE = Refusal(None, "InvalidLaunchTemplateName.NotFoundException", "The specified launch template does not exist")
VERSION = Refusal(None, "InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version")
WRONG = Refusal(None, "InvalidParameterValue", "Invalid value 'x' for y")


@pytest.mark.parametrize(
    ("refusals", "made", "expected"),
    [
        ([], (), Verdict()),
        ([CAPACITY], (), Verdict()),
        ([CAPACITY, BUSY], (), Verdict(BUSY, 60)),
        ([BROKEN], (), Verdict(BROKEN, 60)),
        ([PROFILE], (), Verdict(PROFILE, 0)),
        ([BUSY, PROFILE], ("instance_profile",), Verdict(PROFILE, 90)),
        ([ELSEWHERE, CAPACITY], (), Verdict()),
        ([ELSEWHERE, ELSEWHERE], (), Verdict(ELSEWHERE, 0)),
        ([CAPACITY, TEMPLATE], ("launch_template",), Verdict(TEMPLATE, 60)),
        ([VERSION], ("launch_template",), Verdict(VERSION, 60)),
        ([TEMPLATE], ("instance_profile",), Verdict(TEMPLATE, 0)),
        ([BUSY, WRONG], ("instance_profile",), Verdict(WRONG, 0)),
    ],
    ids=[
        "none",
        "capacity",
        "busy",
        "broken",
        "a profile that is not new",
        "a new profile",
        "not in that zone",
        "wrong for all",
        "a new template",
        "its version",
        "a template that is not new",
        "wrong",
    ],
)
def test_what_passes(refusals, made, expected):
    assert verdict(refusals, made, ()) == expected


@given(st.floats(0, 600), st.lists(st.floats(0, 30), max_size=5))
def test_pauses_grow_and_end_with_the_time(seconds, spent):
    """``spent``: what the requests between the pauses take."""
    patience, now, pauses = Patience(), 100.0, []
    while (pause := patience.pause(now, seconds)) is not None:
        pauses.append(pause)
        now += pause + (spent.pop() if spent else 0)
        assert len(pauses) < 100
    assert all(0 < pause <= 8 for pause in pauses) and pauses[:-1] == sorted(pauses[:-1])
    assert now >= 100 + seconds - 1e-6 and sum(pauses) <= seconds + 1e-6


def test_a_new_profile_has_its_whole_window():
    patience, now = Patience(), 0.0
    while (pause := patience.pause(now, 90)) is not None:
        now += pause
    assert now == 90


@pytest.mark.parametrize(
    ("codes", "left"),
    [
        ({}, set()),
        ({A: "UnfulfillableCapacity", B: "UnfulfillableCapacity"}, set()),
        ({A: "InsufficientInstanceCapacity", B: "UnfulfillableCapacity", C: "UnfulfillableCapacity"}, {B, C}),
        ({A: "InsufficientInstanceCapacity", None: "UnfulfillableCapacity"}, set()),
        ({None: "InsufficientInstanceCapacity", B: "UnfulfillableCapacity"}, set()),
    ],
    ids=["none", "all say so", "one has a reason", "the request as a whole", "a reason that names none"],
)
def test_what_a_fleet_did_not_get_to(codes, left):
    assert untried(Refusal(offer, code, "words") for offer, code in codes.items()) == left
