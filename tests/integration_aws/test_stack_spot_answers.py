# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets whose answer says too little or is an old one: what they launched is found, and nothing is launched instead of it."""

from __future__ import annotations

import time

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import fleet_answer, instance, spot
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import NO_CAPACITY
from tests.integration_aws.pools import pool as any_pool


def pool(**more):
    return any_pool(**{"market": ["spot", "on_demand"], **more})


def markets(lab):
    return [raw.get("InstanceLifecycle", "on_demand") for raw in lab.instances() if raw["State"]["Name"] in ("pending", "running")]


def lose(lab):
    """The answer to a fleet is lost, and its token is answered with its id alone from then on."""
    lab.aws.fault(service="ec2", action="CreateFleet", drop=True, after_effect=True)
    lab.aws.fault(service="ec2", action="CreateFleet", hollow=True, times=0)


def deny(lab):
    lab.aws.fault(service="ec2", action="DescribeFleets", code="UnauthorizedOperation", message="no", times=3)


@pytest.mark.parametrize("denied", [False, True], ids=["by the fleet", "by the tag"])
def test_what_a_hollow_answer_launched_is_found(lab, go, subnets, denied):
    lose(lab)
    if denied:
        deny(lab)
    told = go(pool())
    assert markets(lab) == ["spot", "spot"]
    assert {(one["instance_type"], one["market"], one["code"]) for one in told["offers_tried"]} == {("g5.xlarge", "spot", None)}
    lab.aws.control("DELETE", "faults")
    assert not go(pool())["changed"]


def test_why_a_hollow_answer_launched_nothing_is_found(lab, go, subnets):
    lose(lab)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY, times=0)
    told = go(pool())
    assert markets(lab) == ["on_demand", "on_demand"]
    assert {one["code"] for one in told["offers_tried"] if one["market"] == "spot"} == {NO_CAPACITY}


def test_of_what_nobody_says_what_it_launched_no_other_offer_is_tried(lab, go, subnets, monkeypatch):
    lose(lab)
    deny(lab)
    with monkeypatch.context() as unseen:
        unseen.setattr(fleet_answer, "tagged", lambda act, fleet_id: {})
        unseen.setattr(fleet_answer, "_LOOK", 1.5)
        with pytest.raises(StackError, match=r"EC2 does not say what the fleet fleet-\S+ launched \(ec2:DescribeFleets: Unauth") as caught:
            go(pool())
    assert {one["market"] for one in caught.value.details["offers_tried"]} == {"spot"}
    assert markets(lab) == ["spot", "spot"]
    lab.aws.control("DELETE", "faults")
    go(pool())
    assert markets(lab) == ["spot", "spot"] and not go(pool())["changed"]


class Days:
    """Fleets that are there when a day passes are a day old from then on."""

    def __init__(self, lab, monkeypatch):
        self.lab, self.past, self.known = lab, 0, set()
        whole = fleet_answer.age
        monkeypatch.setattr(
            fleet_answer, "age", lambda created, answered: whole(created, answered) + (86400 if created in self.known else 0)
        )
        monkeypatch.setattr(spot, "attempt", lambda begun: f"attempt {self.past}")
        described = fleet_answer._described
        self.seen = set()

        def noted(act, fleet_id):
            told = described(act, fleet_id)
            self.seen.add(told[0].get("CreateTime"))
            return told

        monkeypatch.setattr(fleet_answer, "_described", noted)

    def passes(self):
        self.past, self.known = self.past + 1, set(self.seen)
        time.sleep(1.1)  # a fleet's CreateTime has whole seconds, and tells here which day it is of


def test_a_day_without_capacity_is_no_chain_of_old_fleets(lab, go, subnets, monkeypatch):
    days = Days(lab, monkeypatch)
    lab.aws.fault(service="ec2", action="RunInstances", code=NO_CAPACITY, times=0)
    counts = []
    for _run in range(4):
        lab.calls()
        with pytest.raises(StackError, match="no offer is left"):
            go(pool(count=1, market=["spot"]))
        counts.append(lab.calls()["ec2:CreateFleet"])
        days.passes()
    assert counts == [1, 2, 2, 2]
    lab.aws.control("DELETE", "faults")
    go(pool(count=1, market=["spot"]))
    assert markets(lab) == ["spot"]


def test_nothing_but_old_fleets_is_the_end_of_spot_alone(lab, go, subnets, monkeypatch):
    monkeypatch.setattr(fleet_answer, "FRESH", -1)
    monkeypatch.setattr(spot, "_REPLAYS", 3)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY, times=0)
    told = go(pool())
    assert markets(lab) == ["on_demand", "on_demand"]
    assert any("answered 3 times with old fleets" in one for one in told["warnings"])


def test_a_failure_that_cannot_be_dated_is_asked_for_once_more(lab, go, subnets, monkeypatch):
    """Without ec2:DescribeFleets yesterday's failure was taken for today's."""
    monkeypatch.setattr(fleet_answer, "_described", lambda act, fleet_id: ({}, "denied"))
    lab.aws.fault(service="ec2", action="RunInstances", code=NO_CAPACITY, times=0)
    lab.calls()
    with pytest.raises(StackError, match="no offer is left"):
        go(pool(count=1, market=["spot"]))
    assert lab.calls()["ec2:CreateFleet"] == 2
    lab.aws.control("DELETE", "faults")
    monkeypatch.setattr(spot, "attempt", lambda begun: "attempt later")
    go(pool(count=1, market=["spot"]))
    assert markets(lab) == ["spot"]


def test_killed_in_an_attempt_that_met_an_old_fleet(lab, go, subnets, kill):
    """The next run comes to the same token, although it is not shown yet what was launched."""
    denied = {"service": "ec2", "action": "DescribeFleets", "code": "UnauthorizedOperation", "message": "no"}
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY, times=3)
    lab.aws.fault(**denied)
    kill("ec2:CreateFleet", pool(count=1), nth=2)
    there = lab.alive()
    assert len(there) == 1
    lab.aws.control("DELETE", "faults")
    lab.aws.fault(**denied, nth=3)  # those before tell whose the instances are: with and without the lock
    whole = instance.Instance.observe
    with pytest.MonkeyPatch.context() as unseen:
        unseen.setattr(instance.Instance, "observe", lambda self, reader: [one for one in whole(self, reader) if one.id not in there])
        go(pool(count=1))
    assert lab.alive() == there and not go(pool(count=1))["changed"]


def test_what_a_fleet_did_not_get_to_has_a_fleet_of_its_own(lab, go, subnets):
    """Two types in three zones: one is said to have no capacity, of the others it is said only that there is none to be had."""
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code="UnfulfillableCapacity", times=5)
    lab.calls()
    told = go(pool(count=1, instance_types=["g5.xlarge", "g6.xlarge"]))
    assert markets(lab) == ["spot"] and lab.calls()["ec2:CreateFleet"] == 2
    assert sorted(str(one["code"]) for one in told["offers_tried"]) == [NO_CAPACITY, "None"] + ["UnfulfillableCapacity"] * 5
    assert not go(pool(count=1, instance_types=["g5.xlarge", "g6.xlarge"]))["changed"]


def test_where_all_offers_have_nothing_to_be_had_the_next_market_is_tried(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code="UnfulfillableCapacity", times=0)
    lab.calls()
    go(pool(count=1))
    assert markets(lab) == ["on_demand"] and lab.calls()["ec2:CreateFleet"] == 1


def test_a_type_that_a_zone_does_not_have_in_a_fleets_words(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], code="InvalidFleetConfiguration", status=400, times=0)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY, times=0)
    told = go(pool(count=1))
    assert markets(lab) == ["on_demand"]
    assert {(one["zone"], one["market"]) for one in told["offers_tried"] if one["code"] == "InvalidFleetConfiguration"} == {
        ("us-east-1a", "spot")
    }
