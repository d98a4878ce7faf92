# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a launch goes when there is no capacity: zones, then types, then markets, each offer once, and what the result says of it."""

from __future__ import annotations

import time

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import NO_CAPACITY, pool


def tried(told):
    return [(one["instance_type"], one["zone"][-1], one["market"], one["code"]) for one in told["offers_tried"]]


def placed(lab):
    live = [raw for raw in lab.instances() if raw["State"]["Name"] == "running"]
    return sorted((raw["InstanceType"], raw["Placement"]["AvailabilityZone"][-1]) for raw in live)


def without(lab, text, code=NO_CAPACITY, **more):
    lab.aws.fault(service="ec2", action="RunInstances", match=text, code=code, message="none", **{"times": 0, **more})


def test_the_next_zone(lab, go, subnets):
    without(lab, subnets["us-east-1a"])
    told = go(pool())
    assert placed(lab) == [("g5.xlarge", "b"), ("g5.xlarge", "b")]
    assert sorted(tried(told)) == [
        ("g5.xlarge", "a", "on_demand", NO_CAPACITY),
        ("g5.xlarge", "b", "on_demand", None),
        ("g5.xlarge", "b", "on_demand", None),
    ]
    assert all(one["request_id"] for one in told["offers_tried"])
    made = {line["name"]: line["after"]["zone"] for line in told["plan"] if line["kind"] == "instance"}
    assert made == {"train-0": "us-east-1b", "train-1": "us-east-1b"}, "the plan's lines say where it went"
    lab.aws.control("DELETE", "faults")
    assert not go(pool())["changed"]


def test_zones_then_types_then_markets(lab, go, subnets):
    without(lab, "")
    wish = pool(count=1, instance_types=["g5.xlarge", "g6.xlarge"], market=["spot", "on_demand"], zones=["us-east-1a", "us-east-1b"])
    with pytest.raises(StackError, match="train has 0 of 1 instances, and no offer is left") as caught:
        go(wish)
    seen = tried(caught.value.details)
    assert [market for _kind, _zone, market, _code in seen] == ["spot"] * 4 + ["on_demand"] * 4
    assert {kind for kind, _zone, market, _code in seen if market == "spot"} == {"g5.xlarge", "g6.xlarge"}, "EC2 chooses among them"
    assert [kind for kind, _zone, market, _code in seen if market == "on_demand"] == ["g5.xlarge"] * 2 + ["g6.xlarge"] * 2
    assert {zone for _kind, zone, _market, _code in seen} == {"a", "b"} and len(seen) == 8
    assert caught.value.details["path"] == "pools.train" and lab.alive() == []


def test_a_quota_ends_the_market_for_its_family(lab, go, subnets):
    without(lab, "MarketType=spot", "MaxSpotInstanceCountExceeded", status=400)
    told = go(pool(count=1, instance_types=["g5.xlarge", "g6.xlarge"], market=["spot", "on_demand"]))
    codes = [code for _kind, _zone, _market, code in tried(told)]
    assert codes == ["MaxSpotInstanceCountExceeded"] * 6 + [None] and len(lab.alive()) == 1
    assert lab.calls()["ec2:CreateFleet"] == 1, "one request for all types and zones"


def test_what_one_pool_found_out_the_next_does_not_ask(lab, go, subnets):
    without(lab, "", "VcpuLimitExceeded", status=400)
    lab.calls()
    with pytest.raises(StackError, match="VcpuLimitExceeded"):
        go(pool(count=1, instance_types=["g5.xlarge", "g5.2xlarge", "g6.xlarge"]))
    assert lab.calls()["ec2:RunInstances"] == 1


@pytest.mark.parametrize("code", ["InvalidParameterValue", "UnauthorizedOperation"])
def test_what_no_offer_would_mend_stops(lab, go, subnets, code):
    without(lab, "", code, status=400)
    with pytest.raises(StackError, match="AMI|not allowed|InvalidParameterValue") as caught:
        go(pool(count=1))
    assert [one["code"] for one in caught.value.details["offers_tried"]] == [code]


def test_part_of_it_here_and_the_rest_elsewhere(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], capacity=1, times=1)
    without(lab, subnets["us-east-1a"])
    go(pool(count=3, zones=["us-east-1a", "us-east-1b"]))
    assert placed(lab) == [("g5.xlarge", "a"), ("g5.xlarge", "b"), ("g5.xlarge", "b")]
    assert not go(pool(count=3, zones=["us-east-1a", "us-east-1b"]))["changed"]


def test_together_is_all_or_none_in_one_zone(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], capacity=2, times=0)
    told = go(pool(count=3, spread=False))
    assert placed(lab) == [("g5.xlarge", "b")] * 3
    assert tried(told) == [("g5.xlarge", "a", "on_demand", NO_CAPACITY), ("g5.xlarge", "b", "on_demand", None)]


def test_a_gang_that_loses_one_before_it_runs_ends_whole_and_goes_on(lab, go, subnets):
    reason = "Server.InsufficientInstanceCapacity: none"
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], terminate=reason, times=0)
    told = go(pool(count=3, spread=False))
    assert placed(lab) == [("g5.xlarge", "b")] * 3
    assert tried(told)[-1] == ("g5.xlarge", "b", "on_demand", None)
    assert ("g5.xlarge", "a", "on_demand", "Server.InsufficientInstanceCapacity") in tried(told)
    assert not go(pool(count=3, spread=False))["changed"]


def test_min_starts_smaller_and_the_next_run_grows(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], capacity=2, times=1)
    without(lab, "")
    wish = pool(count=4, min=2, spread=False, zones=["us-east-1a"])
    told = go(wish)
    assert told["changed"] and len(lab.alive()) == 2
    assert told["summary"]["create"] == 2 and told["summary"]["pending"] == 2
    assert "has 2 of 4 instances" in told["warnings"][0] and "min is 2" in told["warnings"][0]
    assert len(told["outputs"]["pools"]["train"]["instance_ids"]) == 2
    again = go(wish)
    assert not again["changed"] and again["summary"]["pending"] == 2, "nothing was had: nothing has changed"
    lab.aws.control("DELETE", "faults")
    assert go(wish)["summary"]["create"] == 2 and placed(lab) == [("g5.xlarge", "a")] * 4
    assert not go(wish)["changed"]


def test_fewer_than_min_is_a_failure(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", capacity=1, times=0)
    with pytest.raises(StackError, match="train has 0 of 4 instances"):
        go(pool(count=4, min=2, spread=False, zones=["us-east-1a"]))
    assert lab.alive() == []


def test_the_price_bounds_what_is_launched(lab, go, subnets):
    lab.calls()
    with pytest.raises(StackError, match=r"no offer .*1\.006 USD an hour, and max_hourly_usd is 0\.5"):
        go(pool(max_hourly_usd=0.5))
    assert "ec2:RunInstances" not in lab.calls()
    told = go(pool(count=1, max_hourly_usd=0.5, market=["spot"]))
    assert told["offers_tried"][0]["market"] == "spot"
    (spot,) = [raw for raw in lab.instances() if raw["State"]["Name"] == "running"]
    assert spot["InstanceLifecycle"] == "spot"


def test_the_plan_shows_the_offers_and_its_id_does_not_hang_on_them(lab, go, subnets):
    wish = pool(count=1, market=["spot", "on_demand"])
    plan = lab.pools(wish, check=True)
    assert [one["market"] for one in plan["offers"]["train"]] == ["spot"] * 3 + ["on_demand"] * 3
    assert plan["offers"]["train"][3]["usd_per_hour"] == 1.006
    without(lab, "MarketType=spot")
    assert lab.pools(wish, expect_plan=plan["plan_id"])["changed"]


def test_an_answer_that_never_comes_is_asked_for_again_before_another_offer(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", after_effect=True, drop=True, times=2)
    told = go(pool(count=2, spread=False))
    assert len(lab.alive()) == 2 and [code for *_offer, code in tried(told)] == [None]


def reserve(lab, zone="us-east-1b", count=1, block=False):
    """The id of a new reservation of g5.xlarge, which the emulator takes for a capacity block by its tag."""
    tags = [{"Key": "sandbox:type", "Value": "capacity-block"}] if block else []
    more = {"EndDate": "2099-01-31T11:30:00Z", "EndDateType": "limited"} if block else {}
    made = lab.client("ec2").create_capacity_reservation(
        InstanceType="g5.xlarge", InstancePlatform="Linux/UNIX", AvailabilityZone=zone, InstanceCount=count, **more,
        TagSpecifications=[{"ResourceType": "capacity-reservation", "Tags": tags}] if tags else [],
    )  # fmt: skip
    return made["CapacityReservation"]["CapacityReservationId"]


def left_in(lab, reservation):
    listed = lab.client("ec2").describe_capacity_reservations()["CapacityReservations"]
    return next(one["AvailableInstanceCount"] for one in listed if one["CapacityReservationId"] == reservation)


@pytest.mark.parametrize(("market", "block"), [("reservation", False), ("capacity_block", True)])
def test_what_is_paid_for_already_comes_first_and_the_rest_goes_on(lab, go, subnets, market, block):
    reservation = reserve(lab, block=block)
    told = go(pool(count=2, market=[market, "on_demand"]))
    assert ("g5.xlarge", "b") in placed(lab) and len(placed(lab)) == 2
    first = told["offers"]["train"][0]
    assert (first["market"], first["reservation"], first["available"], first["usd_per_hour"]) == (market, reservation, 1, 0)
    assert first["ends"] == ("2099-01-31T11:00:00Z" if block else None), "EC2 begins to end what runs in it half an hour before"
    assert [one["market"] for one in told["offers_tried"] if one["code"] is None] == [market, "on_demand"]
    assert left_in(lab, reservation) == 0
    assert not go(pool(count=2, market=[market, "on_demand"]))["changed"]


def test_a_pool_that_wants_only_reservations_fails_without_one(lab, go, subnets):
    lab.calls()
    with pytest.raises(StackError, match="no offer .*reservation: the account has none that is active"):
        go(pool(count=1, market=["reservation"]))
    reserve(lab)
    with pytest.raises(StackError, match="train has 1 of 2 instances, and no offer is left"):
        go(pool(count=2, market=["reservation"]))


def test_a_second_instance_of_a_slot_is_told_and_goes(lab, go, subnets):
    """As after a run that was killed while EC2 did not show yet what it had launched."""
    first = go(pool(count=1))["outputs"]["pools"]["train"]["instance_ids"][0]
    (raw,) = [one for one in lab.instances() if one["InstanceId"] == first]
    time.sleep(1.1)  # LaunchTime has seconds, and tells which of the two is the second
    lab.client("ec2").run_instances(
        ImageId=raw["ImageId"], InstanceType="g5.xlarge", SubnetId=raw["SubnetId"], MinCount=1, MaxCount=1,
        ClientToken=raw["ClientToken"][:-4] + "0000", TagSpecifications=[{"ResourceType": "instance", "Tags": raw["Tags"]}],
    )  # fmt: skip
    with pytest.raises(StackError, match="a second instance of train-0, launched after the first.*Set max_delete to 1"):
        go(pool(count=1))
    told = go(pool(count=1), max_delete=1)
    assert told["summary"]["delete"] == 1
    assert [one["InstanceId"] for one in lab.instances() if one["State"]["Name"] == "running"] == [first]
