# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spot by instant fleets: one request over all types and zones, nothing twice, nothing left."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import fleet, fleet_again, fleet_answer, instance, spot
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import BOOKWORM, NO_CAPACITY


def pool(**more):
    return {"name": "train", "count": 3, "instance_types": ["g5.xlarge", "g6.xlarge"], "market": ["spot"], "image": BOOKWORM, **more}


def running(lab):
    return sorted((raw for raw in lab.instances() if raw["State"]["Name"] == "running"), key=lambda raw: raw["InstanceId"])


def tags_of(raw):
    return {tag["Key"]: tag["Value"] for tag in raw["Tags"]}


def templates(lab):
    return lab.client("ec2").describe_launch_templates()["LaunchTemplates"]


def test_one_fleet_launches_them_as_declared_and_leaves_no_template(lab, go, writes):
    wish = pool(disk={"gib": 200, "iops": 4000, "throughput": 250}, user_data="#!/bin/sh\ntrue\n", tags={"team": "vision"})
    go()
    lab.calls()
    told = go(wish)
    calls = writes(lab.calls())
    assert calls["ec2:CreateFleet"] == calls["ec2:CreateLaunchTemplate"] == calls["ec2:DeleteLaunchTemplate"] == 1
    assert "ec2:RunInstances" not in calls and calls["ec2:CreateTags"] == 3
    assert {one["market"] for one in told["offers_tried"]} == {"spot"} and all(one["request_id"] for one in told["offers_tried"])
    ec2 = lab.client("ec2")
    for raw in running(lab):
        assert raw["InstanceLifecycle"] == "spot" and raw["InstanceType"] == "g6.xlarge", "the cheaper one of two that are there"
        assert raw["MetadataOptions"]["HttpTokens"] == "required" and raw["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
        assert raw["KeyName"] == "vision-dev" and tags_of(raw)["team"] == "vision"
        (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [raw["InstanceId"]]}])["Volumes"]
        told_of = (volume["Size"], volume["VolumeType"], volume["Iops"], volume["Throughput"], volume["Encrypted"])
        assert told_of == (200, "gp3", 4000, 250, True)
        assert {tag["Key"]: tag["Value"] for tag in volume["Tags"]}["mlinfra:kind"] == "volume"
        data = ec2.describe_instance_attribute(InstanceId=raw["InstanceId"], Attribute="userData")["UserData"]["Value"]
        assert data == "IyEvYmluL3NoCnRydWUK"
    (fleet,) = {tags_of(raw)["aws:ec2:fleet-id"] for raw in running(lab)}
    assert ec2.describe_fleets(FleetIds=[fleet])["Fleets"][0]["ClientToken"].startswith("mlinfra-")
    assert templates(lab) == []


def test_every_instance_says_its_slot_and_a_second_run_changes_nothing(lab, go):
    told = go(pool())
    slots = {raw["InstanceId"]: tags_of(raw)["mlinfra:slot"] for raw in running(lab)}
    assert sorted(slots.values()) == ["0", "1", "2"]
    assert [slots[id] for id in told["outputs"]["pools"]["train"]["instance_ids"]] == ["0", "1", "2"]
    assert all(told["outputs"]["pools"]["train"]["private_ips"])
    lab.calls()
    assert not go(pool())["changed"]
    assert lab.calls()["ec2:DescribeFleets"] == 1, "whose they are is asked once for all"


def test_growing_and_shrinking(lab, go):
    first = go(pool(count=2))["outputs"]["pools"]["train"]["instance_ids"]
    assert go(pool(count=4))["outputs"]["pools"]["train"]["instance_ids"][:2] == first
    go(pool(count=1), max_delete=3)
    assert [raw["InstanceId"] for raw in running(lab)] == first[:1]
    assert not go(pool(count=1))["changed"]


def test_what_a_fleet_cannot_have_goes_to_the_next_market(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", capacity=1, times=1)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY, times=0)
    told = go(pool(market=["spot", "on_demand"], spread=False, instance_types=["g5.xlarge"], min=1))
    assert sorted(raw.get("InstanceLifecycle", "on-demand") for raw in running(lab)) == ["on-demand", "on-demand", "spot"]
    assert len({raw["Placement"]["AvailabilityZone"] for raw in running(lab)}) == 1
    assert [one["code"] for one in told["offers_tried"]][-1] is None
    assert not go(pool(market=["spot", "on_demand"], spread=False, instance_types=["g5.xlarge"], min=1))["changed"]


def test_a_pool_that_falls_back_asks_one_fleet_and_spreads_the_rest(lab, go, subnets):
    """Its slots begin in different zones On-Demand, and each zone's had a fleet of its own."""
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", capacity=1, times=1)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=NO_CAPACITY, times=0)
    wish = pool(market=["spot", "on_demand"], instance_types=["g5.xlarge"], count=4)
    lab.calls()
    go(wish)
    calls = lab.calls()
    assert calls["ec2:CreateFleet"] == 1
    bought = [raw for raw in running(lab) if "InstanceLifecycle" not in raw]
    assert len(bought) == 3 == len({raw["Placement"]["AvailabilityZone"] for raw in bought}) and len(running(lab)) == 4
    assert not go(wish)["changed"]


def test_a_gang_is_whole_in_one_zone_and_of_one_type(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], capacity=2, times=0)
    told = go(pool(spread=False))
    assert {(raw["InstanceType"], raw["Placement"]["AvailabilityZone"]) for raw in running(lab)} == {("g6.xlarge", "us-east-1b")}
    assert len(running(lab)) == 3
    assert (told["offers_tried"][0]["zone"], told["offers_tried"][0]["code"]) == ("us-east-1a", NO_CAPACITY)


def test_no_capacity_anywhere_is_told_for_each_offer(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", code=NO_CAPACITY, times=0)
    with pytest.raises(StackError, match="train has 0 of 3 instances, and no offer is left") as caught:
        go(pool())
    tried = caught.value.details["offers_tried"]
    assert len(tried) == 6 and {one["code"] for one in tried} == {NO_CAPACITY}
    assert lab.alive() == [] and templates(lab) == []


def test_what_no_offer_would_mend_stops(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", code="UnauthorizedOperation", message="no", times=0)
    with pytest.raises(StackError, match="not allowed: ec2:CreateFleet was refused") as caught:
        go(pool(market=["spot", "on_demand"]))
    tried = caught.value.details["offers_tried"]
    assert {(one["market"], one["code"]) for one in tried} == {("spot", "UnauthorizedOperation")}
    assert lab.alive() == [] and templates(lab) == []


def test_a_fleet_that_cannot_be_dated_is_noted_all_the_same(lab, go, subnets):
    lab.aws.fault(service="ec2", action="DescribeFleets", code="UnauthorizedOperation", message="no", times=1)
    go(pool())
    assert {tags_of(raw)["mlinfra:slot"] for raw in running(lab)} == {"0", "1", "2"} and not go(pool())["changed"]


def test_no_fleet_left_is_no_capacity_of_spot(lab, go, subnets):
    lab.aws.fault(service="ec2", action="CreateFleet", code="MaxFleetCountExceeded", message="none left", status=400, times=0)
    told = go(pool(market=["spot", "on_demand"]))
    assert [raw.get("InstanceLifecycle") for raw in running(lab)] == [None] * 3 and templates(lab) == []
    assert {one["code"] for one in told["offers_tried"] if one["market"] == "spot"} == {"MaxFleetCountExceeded"}


def test_an_old_failure_of_the_same_request_is_not_taken_for_an_answer(lab, go, subnets, monkeypatch):
    """EC2 keeps a fleet that launched nothing, and answers the same token with it when there is capacity again."""
    lab.aws.fault(service="ec2", action="RunInstances", code=NO_CAPACITY, times=0)
    with pytest.raises(StackError, match="no offer is left"):
        go(pool())
    lab.aws.control("DELETE", "faults")
    with pytest.raises(StackError, match="no offer is left"):
        go(pool())  # a moment later: what was found out just now
    monkeypatch.setattr(fleet_answer, "FRESH", -1)
    go(pool())
    assert len(running(lab)) == 3 and not go(pool())["changed"]


def test_an_answer_that_is_lost(lab, go, subnets):
    lab.aws.fault(service="ec2", action="CreateFleet", drop=True, after_effect=True, times=2)
    go(pool())
    assert len(lab.instances()) == 3 and not go(pool())["changed"] and templates(lab) == []


def test_a_new_profile_takes_its_time(lab):
    lab.aws.timing(profile_propagation=1.5, pending=0.1)
    lab.run(pools=[pool()])
    assert len(running(lab)) == 3 and lab.calls()["ec2:CreateFleet"] > 1
    assert not lab.run(pools=[pool()])["changed"]


@pytest.mark.parametrize("action", ["CreateFleet", "CreateLaunchTemplate", "DeleteLaunchTemplate"])
def test_killed_right_after_the_effect(lab, go, subnets, kill, action):
    kill(f"ec2:{action}", pool())
    there = lab.alive()
    assert bool(there) == (action != "CreateLaunchTemplate")
    told = go(pool())
    assert (lab.alive() == there or not there) and len(lab.alive()) == 3
    assert {tags_of(raw)["mlinfra:slot"] for raw in running(lab)} == {"0", "1", "2"}
    assert templates(lab) == [] and told["changed"]
    assert not go(pool())["changed"]


def test_a_template_that_was_left_is_in_the_plan_and_goes_without_max_delete(lab, go):
    go(pool())
    lab.aws.fault(service="ec2", action="DeleteLaunchTemplate", code="ValidationError", status=400)
    warned = go(pool(count=4))["warnings"]
    assert "could not be removed" in warned[0] and len(templates(lab)) == 1
    told = go(pool(count=4))
    (line,) = [line for line in told["plan"] if line["action"] != "keep"]
    assert (line["kind"], line["action"], line["reason"]) == ("launch_template", "delete", "left by a run that did not end")
    assert templates(lab) == [] and not go(pool(count=4))["changed"]


def test_our_tags_on_an_instance_of_another_fleet_are_no_provenance(lab, go):
    go(pool(count=1))
    (ours,) = running(lab)
    other = lab.client("ec2").run_instances(
        ImageId=ours["ImageId"], InstanceType="g6.xlarge", SubnetId=ours["SubnetId"], MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [
            *[tag for tag in ours["Tags"] if tag["Key"] != "aws:ec2:fleet-id"],
            {"Key": "aws:ec2:fleet-id", "Value": "fleet-00000000-0000-0000-0000-000000000000"},
        ]}],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    told = lab.pools(pool(count=1), check=True)
    assert [line["id"] for line in told["plan"] if line["action"] == "foreign"] == [other] and not told["changed"]
    assert [raw["InstanceId"] for raw in running(lab) if raw["InstanceId"] != other] == [ours["InstanceId"]]
    lab.client("ec2").terminate_instances(InstanceIds=[other])
    assert lab.end()["remaining"] == [] and lab.alive() == []


def test_an_instance_outlives_what_ec2_remembers_of_its_fleet(lab, go, monkeypatch):
    go(pool(count=2))
    first, second = running(lab)
    copied = [tag for tag in first["Tags"] if tag["Key"] in ("mlinfra:launched", "mlinfra:slot")]
    monkeypatch.setattr(instance, "fleet_tokens", lambda ec2, ids: {})
    told = go(pool(count=2))
    assert not told["changed"] and len(told["outputs"]["pools"]["train"]["instance_ids"]) == 2
    lab.client("ec2").create_tags(Resources=[second["InstanceId"]], Tags=copied)
    foreign = [line["id"] for line in lab.pools(pool(count=2), check=True)["plan"] if line["action"] == "foreign"]
    assert foreign == [second["InstanceId"]], "a seal fits the instance that it was made for"


def test_what_spot_takes_back_is_had_again(lab, go):
    go(pool())
    lab.client("ec2").terminate_instances(InstanceIds=[running(lab)[1]["InstanceId"]])
    told = go(pool())
    assert told["summary"]["create"] == 1 and len(running(lab)) == 3
    assert {tags_of(raw)["mlinfra:slot"] for raw in running(lab)} == {"0", "1", "2"}
    assert not go(pool())["changed"]


def test_the_most_that_is_paid_is_in_the_request(lab, go, subnets):
    go(pool(count=1, max_hourly_usd=0.4))
    (raw,) = running(lab)
    fleet = lab.client("ec2").describe_fleets(FleetIds=[tags_of(raw)["aws:ec2:fleet-id"]])["Fleets"][0]
    assert {one["LaunchTemplateAndOverrides"]["Overrides"]["MaxPrice"] for one in fleet["Instances"]} == {"0.4"}


def told_of(tried, code):
    return [one for one in tried if one["code"] == code]


def test_a_fleet_that_is_refused_is_told_of_each_of_its_offers(lab, go, subnets):
    lab.aws.fault(service="ec2", action="CreateFleet", code="UnauthorizedOperation", message="no", status=403)
    with pytest.raises(StackError, match="not allowed") as caught:
        go(pool(count=1))
    tried = told_of(caught.value.details["offers_tried"], "UnauthorizedOperation")
    assert len(tried) == 6 and len({one["request_id"] for one in tried}) == 1 and tried[0]["request_id"]


def test_a_refusal_that_names_no_offer_is_told_of_each_and_rules_none_out(lab, go, subnets, monkeypatch):
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", capacity=1, times=1)
    whole = fleet_answer.refused
    more = [fleet.Refusal(None, NO_CAPACITY, "none at all")]
    monkeypatch.setattr(fleet_answer, "refused", lambda answer, made: [*whole(answer, made), *more])
    told = go(pool(count=1, market=["spot", "on_demand"]))
    tried = [one for one in told_of(told["offers_tried"], NO_CAPACITY) if one["message"] == "none at all"]
    assert {one["market"] for one in tried} == {"spot"} and len(tried) == 6 and all(one["request_id"] for one in tried)
    assert len(running(lab)) == 1


def busy(lab, times):
    """So many places of fleets are answered with throttling, inside the fleets' answers: two types in three zones are six a fleet."""
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code="RequestLimitExceeded", times=times)


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError"])
def test_a_fleet_that_ec2_was_too_busy_for_is_tried_again(lab, go, subnets, code):
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", code=code, times=6)
    lab.calls()
    go(pool())
    assert lab.calls()["ec2:CreateFleet"] == 2
    assert len(running(lab)) == 3
    assert not go(pool())["changed"]


def test_what_a_fleet_got_while_ec2_was_busy_is_kept_and_the_rest_is_asked_for_again(lab, go, subnets):
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", capacity=1, times=1)
    busy(lab, 5)
    go(pool())
    assert len(running(lab)) == 3
    assert {tags_of(raw)["mlinfra:slot"] for raw in running(lab)} == {"0", "1", "2"}
    assert not go(pool())["changed"]


def test_a_fleet_that_ec2_stays_too_busy_for_is_an_error_that_says_so(lab, go, subnets, monkeypatch):
    monkeypatch.setattr(spot.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(fleet_again, "_BUSY_FOR", 0.5)
    busy(lab, 0)
    with pytest.raises(StackError, match="AWS throttles ec2:CreateFleet"):
        go(pool())
    assert lab.alive() == [] and templates(lab) == []


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed yet"])
def test_killed_between_two_fleets(lab, go, subnets, kill, nth, listed):
    """The first fleet launches nothing, the second all: the next run comes by the same fleets, in the same order."""
    busy(lab, 6)
    kill("ec2:CreateFleet", pool(), nth=nth)
    there = lab.alive()
    assert len(there) == (3 if nth == 2 else 0)
    whole = instance.Instance.observe
    with pytest.MonkeyPatch.context() as patched:
        if not listed:
            hidden = lambda self, reader: [one for one in whole(self, reader) if one.id not in there]  # noqa: E731
            patched.setattr(instance.Instance, "observe", hidden)
        go(pool())
    assert len(lab.alive()) == 3 and (lab.alive() == there or not there)
    assert not go(pool())["changed"] and templates(lab) == []


def test_killed_while_the_rest_of_a_fleet_is_asked_for(lab, go, subnets, kill):
    """What the first fleets were must not be in the request for the rest, which the next run begins with."""
    busy(lab, 6)
    lab.aws.fault(service="ec2", action="RunInstances", match="MarketType=spot", capacity=1, times=1)
    busy(lab, 5)
    kill("ec2:CreateFleet", pool(), nth=3)
    there, rest = lab.alive(), {raw["InstanceId"] for raw in lab.instances() if tags_of(raw)["mlinfra:slots"] == "1-2"}
    assert (len(there), len(rest)) == (3, 2)
    whole = instance.Instance.observe
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(instance.Instance, "observe", lambda self, reader: [one for one in whole(self, reader) if one.id not in rest])
        go(pool())
    assert lab.alive() == there and not go(pool())["changed"]
