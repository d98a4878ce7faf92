# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances that somebody else launched become a pool's by being named, and stop being so by being no longer named."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import BOOKWORM


@pytest.fixture
def go(lab):
    def run(count, *adopt, check=False, options=None, sections=None, **more):
        pool = {"name": "train", "count": count, "instance_types": ["t3.large"], "image": BOOKWORM, "adopt": list(adopt), **more}
        return lab.pools(pool, check=check, **(options or {}), **(sections or {}))

    return run


@pytest.fixture
def theirs(lab, go):
    """``theirs(zone, …)`` is the id of an instance that somebody launched by hand into the stack's network."""
    go(0)
    ec2 = lab.client("ec2")
    subnets = {raw["AvailabilityZone"][-1]: raw["SubnetId"] for raw in ec2.describe_subnets()["Subnets"] if not raw["DefaultForAz"]}
    image = lab.client("ssm").get_parameter(Name=BOOKWORM["ssm"])["Parameter"]["Value"]

    def launch(zone="a", kind="t3.large", tags=None, **more):
        specification = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()]}]
        request = {"ImageId": image, "InstanceType": kind, "SubnetId": subnets[zone], "MinCount": 1, "MaxCount": 1, **more}
        made = ec2.run_instances(**request, TagSpecifications=specification if tags else [])["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1})
        return made

    return launch


def tags_of(lab, instance):
    [raw] = [raw for raw in lab.instances() if raw["InstanceId"] == instance]
    return {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}


def line(told, action="adopt"):
    return next(line for line in told["plan"] if line["kind"] == "instance" and line["action"] == action)


def test_an_instance_of_others_becomes_the_pools(lab, go, theirs, actions, writes):
    other = theirs(tags={"Name": "pet", "owner": "jane"})
    go(1)
    lab.calls()
    planned = go(3, other, check=True)
    assert writes(lab.calls()) == {}
    assert actions(planned) == [("instance", "train-1", "adopt"), ("instance", "train-2", "create")]
    adopted = line(planned)
    assert adopted["id"] == other and adopted["before"]["tags"]["Name"] == "pet" and adopted["after"]["tags"]["mlinfra:slot"] == "1"
    assert "pools.train.adopt names it" in adopted["reason"] or f"names {other}" in adopted["reason"]
    assert "its key pair is none, not vision-dev" in adopted["reason"] and "it is not in security group sg-" in adopted["reason"]
    assert planned["summary"]["adopt"] == 1 and any("(adopt)" in one["after_header"] for one in planned["diff"])
    told = go(3, other, options={"expect_plan": planned["plan_id"]})
    assert told["changed"] and told["outputs"]["pools"]["train"]["instance_ids"][1] == other
    found = tags_of(lab, other)
    assert found["owner"] == "jane" and found["mlinfra:slot"] == "1" and found["mlinfra:pool"] == "train" and found["cost-center"] == "ml"
    [raw] = [raw for raw in lab.instances() if raw["InstanceId"] == other]
    assert raw["MetadataOptions"]["HttpTokens"] == "required", "it gets what every host of the pool has"
    parts = lab.client("ec2").describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [other]}])["Volumes"]
    assert {tag["Key"]: tag["Value"] for tag in parts[0]["Tags"]}["mlinfra:kind"] == "volume"
    lab.calls()
    assert not go(3, other)["changed"]
    again = lab.calls()
    assert again["ec2:DescribeInstances"] == 1 and writes(again) == {}, "once adopted it is found like the others"


def test_an_adopted_instance_gets_its_end_with_its_adoption(lab, go, theirs):
    other = theirs()
    lease = {"lease": {"expire": "3h", "enforce": "scheduler"}}
    go(1, other, **lease)
    assert len(lab.client("scheduler").list_schedules()["Schedules"]) == 1
    assert not go(1, other, **lease)["changed"]


def test_a_stopped_one_is_adopted_as_it_is(lab, go, theirs):
    other = theirs()
    lab.client("ec2").stop_instances(InstanceIds=[other])
    lab.client("ec2").get_waiter("instance_stopped").wait(InstanceIds=[other], WaiterConfig={"Delay": 1})
    assert "it counts as present and is not started" in line(go(1, other))["reason"]
    assert tags_of(lab, other)["mlinfra:slot"] == "0" and not go(1, other)["changed"]


def test_no_longer_named_it_is_foreign_and_its_place_is_filled(lab, go, theirs, actions):
    other = theirs()
    go(1, other)
    before = tags_of(lab, other)
    told = go(1, tags={"team": "web"}, options={"max_delete": 9})
    assert actions(told) == [("instance", "train-0", "create"), ("instance", "train-0", "foreign")]
    assert other in lab.alive() and tags_of(lab, other) == before
    back = go(2, other, tags={"team": "web"})
    assert actions(back) == [("instance", "train-1", "adopt")], "its old slot is taken: it gets another, and nothing ends for it"
    assert not go(2, other, tags={"team": "web"})["changed"]


def test_it_stays_when_the_pool_shrinks_and_goes_with_the_stack_that_names_it(lab, go, theirs):
    other = theirs()
    go(3, other)
    lab.client("ec2").stop_instances(InstanceIds=[other])
    go(1, other, options={"max_delete": 2})
    assert [raw["InstanceId"] for raw in lab.instances() if raw["State"]["Name"] != "terminated"] == [other]
    pools = [{"name": "train", "count": 1, "instance_types": ["t3.large"], "image": BOOKWORM, "adopt": [other]}]
    told = lab.end(pools=pools, network=lab.declared({})["network"], key=lab.declared({})["key"])
    assert told["remaining"] == []
    assert {raw["State"]["Name"] for raw in lab.instances()} == {"terminated"}


def test_a_run_that_died_between_the_parts_and_the_instance_goes_on(lab, go, theirs):
    other = theirs()
    lab.aws.fault(service="ec2", action="CreateTags", match=other, code="UnauthorizedOperation", message="no")
    with pytest.raises(StackError, match="not allowed: ec2:CreateTags"):
        go(1, other)
    assert "mlinfra:slot" not in tags_of(lab, other)
    assert go(1, other)["summary"]["adopt"] == 1 and not go(1, other)["changed"]


def test_a_failed_run_that_rolls_back_ends_none_of_what_it_adopted(lab, go, theirs):
    other = theirs()
    lab.aws.fault(service="ec2", action="RunInstances", code="UnauthorizedOperation", message="no", times=0)
    with pytest.raises(StackError, match="not allowed"):
        go(2, other, options={"on_failure": "rollback"})
    assert lab.alive() == [other]


def test_what_cannot_be_adopted(lab, go, theirs):
    ec2 = lab.client("ec2")
    image = lab.client("ssm").get_parameter(Name=BOOKWORM["ssm"])["Parameter"]["Value"]
    elsewhere = ec2.run_instances(ImageId=image, InstanceType="t3.large", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[elsewhere], WaiterConfig={"Delay": 1})
    ended = theirs()
    ec2.terminate_instances(InstanceIds=[ended])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[ended], WaiterConfig={"Delay": 1})
    strangers = theirs(tags={"mlinfra:stack": "speech", "mlinfra:environment": "prod"})
    group = theirs(tags={"Name": "x"})
    cases = [
        ("i-0123456789abcdef0", {}, "us-east-1 of account 123456789012 has no such instance"),
        (ended, {}, "it is terminated. Leave it out of adopt"),
        (strangers, {}, "its tags say that it belongs to the stack speech in prod"),
        (theirs(kind="t3.small"), {}, "it is a t3.small, and the pool wants t3.large. Adopt it in another pool"),
        (elsewhere, {}, "it is in subnet subnet-"),
        (group, {"zones": ["us-east-1b"]}, "it is in us-east-1a, and zones has us-east-1b"),
    ]
    lab.calls()
    for instance, more, said in cases:
        with pytest.raises(StackError) as caught:
            go(1, instance, **more)
        assert caught.value.message.startswith(f"pools.train.adopt has {instance}: {said}"), caught.value.message
    with pytest.raises(StackError, match="i-.*: the pool is in one zone .spread is false., and with it in us-east-1a, us-east-1b"):
        go(2, group, theirs("b"), spread=False)
    made = go(1)["outputs"]["pools"]["train"]["instance_ids"][0]
    with pytest.raises(StackError, match=f"adopt has {group}: count is 1, and 1 instances are there.*Set count to 2"):
        go(1, group)
    pools = [
        {"name": "train", "count": 1, "instance_types": ["t3.large"], "image": BOOKWORM},
        {"name": "serve", "count": 1, "instance_types": ["t3.large"], "image": BOOKWORM, "adopt": [made]},
    ]
    with pytest.raises(StackError, match=f"pools.serve.adopt has {made}: it is train-0 of this stack already"):
        lab.pools(*pools)
