# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed run takes back with on_failure: rollback, what it must spare, and what it says of the rest."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import propagation
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.instance import Instance
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse_scope
from tests.integration_aws.conftest import WHOLE
from tests.integration_aws.pools import QUIET, TRIXIE, pool

LEASED = {"lease": {"expire": "3h"}}
SCOPE = {word: WHOLE[word] for word in ("name", "environment", "account_id", "region")}


@pytest.fixture
def fails(lab):
    """``fails(section=…)`` runs the stack with a rollback and gives the details of its failure."""

    def run(**sections):
        with pytest.raises(StackError) as caught:
            lab.run(**{**QUIET, "on_failure": "rollback", **sections})
        return caught.value.details

    return run


def hosts(told):
    return told["outputs"]["pools"]["train"]["instance_ids"]


def refuse(lab, **more):
    """A call that is not allowed, so that no other offer is tried."""
    lab.aws.fault(**{"service": "ec2", "action": "RunInstances", "code": "UnauthorizedOperation", "message": "no", **more})


def records(lab):
    return [one["Name"] for one in lab.client("ssm").get_parameters_by_path(Path="/mlinfra/vision/dev/leases")["Parameters"]]


def test_a_rollback_ends_what_was_added_and_no_successor(lab, fails):
    first, second = hosts(lab.run(**QUIET, pools=[pool(**LEASED)]))
    refuse(lab, nth=3)  # the new slot, the first successor, and now the second one
    wish = [pool(count=3, image=TRIXIE, on_change="replace", **LEASED)]
    told = fails(pools=wish, max_delete=2)
    (successor,) = lab.alive()
    assert successor not in (first, second), "slot 0 has its successor, slot 1 lost its instance, slot 2 was new"
    assert told["rollback"] == "complete" and told["rollback_kept"] == [f"instance train-0 ({successor}): it replaces what was there"]
    assert "instance train-2" in told["rolled_back"] and "rollback_left" not in told
    assert records(lab) == ["/mlinfra/vision/dev/leases/train"]
    lab.aws.control("DELETE", "faults")
    assert lab.run(**QUIET, pools=wish, max_delete=1)["changed"]
    assert successor in lab.alive() and len(lab.alive()) == 3
    assert not lab.run(**QUIET, pools=wish)["changed"]


def test_what_a_successor_uses_stays_with_it(lab, fails):
    """The role, the zone and the lease are all of the failed run."""
    lab.run(**QUIET, pools=[pool()])
    refuse(lab, nth=2)
    buckets = [{"name": "data"}]
    wish = {"buckets": buckets, "identity": {"read": ["data"]}, "pools": [pool(image=TRIXIE, on_change="replace", **LEASED)]}
    told = fails(**wish, max_delete=2)
    (successor,) = (one.partition("(")[2].partition(")")[0] for one in told["rollback_kept"])
    assert successor in lab.alive() and records(lab)
    assert told["rollback"] == "incomplete"
    left = {one.split()[0] for one in told["rollback_left"]}
    assert {"role", "instance_profile", "lease"} <= left
    assert all("train-0 may need it" in one for one in told["rollback_left"])
    (raw,) = [one for one in lab.instances() if one["InstanceId"] == successor]
    assert lab.client("iam").get_instance_profile(InstanceProfileName=raw["IamInstanceProfile"]["Arn"].rpartition("/")[2])
    lab.aws.control("DELETE", "faults")
    lab.run(**{**QUIET, **wish}, max_delete=1)
    assert not lab.run(**{**QUIET, **wish})["changed"]


@pytest.mark.parametrize("network", [True, False])
def test_what_is_protected_is_left_and_told(lab, fails, network):
    if network:
        lab.run(**QUIET, pools=None)
    refuse(lab, action="RunInstances", match="InstanceType=t3.xlarge", times=0)
    told = fails(pools=[pool(termination_protection=True), pool(name="serve", instance_types=["t3.xlarge"])])
    assert told["rollback"] == "incomplete" and len(lab.alive()) == 2
    first, second = [one for one in told["rollback_left"] if one.startswith("instance ")]
    assert first.startswith("instance train-0 (i-") and "has termination protection; name its pool in force: [train]" in second
    assert any(one.startswith("subnet ") for one in told["rollback_left"]) != network


def test_volumes_that_a_rollback_leaves_are_named(lab, fails):
    refuse(lab, match="InstanceType=t3.xlarge", times=0)
    volumes = [{"gib": 10, "keep": True}]
    told = fails(pools=[pool(count=1, volumes=volumes), pool(name="serve", instance_types=["t3.xlarge"])])
    assert told["rollback"] == "complete" and lab.alive() == []
    (kept,) = lab.client("ec2").describe_volumes(Filters=[{"Name": "tag:mlinfra:stack", "Values": ["vision"]}])["Volumes"]
    assert f"instance train-0; volume {kept['VolumeId']} will stay: nothing here deletes it" in told["rolled_back"]


def hide(monkeypatch, times):
    """EC2 lists no instance the next ``times`` times that a run looks after its launch was refused."""
    whole, left = Instance.observe, [times]

    def observe(self, reader):
        found = whole(self, reader)
        if reader.intent.absent and left[0]:
            left[0] -= 1
            return []
        return found

    monkeypatch.setattr(Instance, "observe", observe)


def test_what_is_not_listed_yet_is_waited_for(lab, fails, monkeypatch):
    """The rollback went by what EC2 listed at once, and left what it had launched running."""
    refuse(lab, match="InstanceType=t3.xlarge", times=0)
    hide(monkeypatch, 2)
    told = fails(pools=[pool(), pool(name="serve", instance_types=["t3.xlarge"])])
    assert told["rollback"] == "complete" and lab.alive() == []


def test_what_stays_unlisted_is_told_and_keeps_its_network(lab, fails, monkeypatch):
    refuse(lab, match="InstanceType=t3.xlarge", times=0)
    hide(monkeypatch, -1)
    monkeypatch.setattr(propagation, "LISTED", 0.1)
    wish = [pool(count=1), pool(name="serve", count=1, instance_types=["t3.xlarge"])]
    told = fails(pools=wish)
    (one,) = lab.alive()
    assert told["rollback"] == "incomplete"
    assert f"instance train-0 ({one}): AWS does not list it yet; run again" in told["rollback_left"]
    assert [line for line in told["rollback_left"] if line.startswith("subnet ") and line.endswith("train-0 may need it")]
    lab.aws.control("DELETE", "faults")
    assert lab.run(**QUIET, pools=wish)["changed"] and one in lab.alive() and len(lab.alive()) == 2


def test_an_end_that_was_not_scheduled_yet_is_waited_for_by_nobody(lab, fails, monkeypatch):
    """It is handed on until its instance is launched; a minute went by, and then the rollback was said to be incomplete."""
    monkeypatch.setattr(propagation, "LISTED", 0.1)
    lease = {"expire": "3h", "enforce": "scheduler"}
    lab.run(**QUIET, pools=[pool(count=1, lease=lease)])
    refuse(lab, match="InstanceType=t3.xlarge", times=0)
    told = fails(pools=[pool(name="serve", instance_types=["t3.xlarge"]), pool(count=2, lease=lease)])
    assert told["rollback"] == "complete" and "rollback_left" not in told and len(lab.alive()) == 1


def ends_of(lab):
    """Instance → its end."""
    tags = {raw["InstanceId"]: {tag["Key"]: tag["Value"] for tag in raw["Tags"]} for raw in lab.instances()}
    return {one: tags[one].get("mlinfra:expires") for one in lab.alive()}


def slots(lab):
    (value,) = [one["Value"] for one in lab.client("ssm").get_parameters_by_path(Path="/mlinfra/vision/dev/leases")["Parameters"]]
    return json.loads(value)["slots"]


@pytest.mark.parametrize("before", [None, "3h"])
def test_leases_and_ends_are_as_they_were(lab, fails, before):
    """Those of hosts that were there; and the lease of a slot whose host was taken back has not begun."""
    was = {"lease": {"expire": before}} if before else {}
    lab.run(**QUIET, pools=[pool(**was)])
    ends, recorded = ends_of(lab), slots(lab) if before else []
    refuse(lab, match="InstanceType=t3.xlarge", times=0)
    wish = [pool(count=3, lease={"expire": "9h"}), pool(name="serve", instance_types=["t3.xlarge"])]
    told = fails(pools=wish)
    assert "instance train-2" in told["rolled_back"] and told["rollback"] == "complete", told
    assert ends_of(lab) == ends
    assert (slots(lab) if before else records(lab)) == recorded
    lab.aws.control("DELETE", "faults")
    assert lab.run(**QUIET, pools=wish)["changed"]
    assert not lab.run(**QUIET, pools=wish)["changed"]


def everything(lab):
    """(kind, id) of all that the stack owns."""
    return {(one["kind"], one["id"]) for one in engine.read(parse_scope(SCOPE), lab.clients())["resources"] if one["owned"]}


NAT = {
    "cidr": "10.42.0.0/16",
    "zone_count": 1,
    "private": True,
    "nat": "one",
    "endpoints": ["s3", "ssm"],
    "access": {"cidrs": ["10.0.0.0/8"]},
}
NO_NAT = {**NAT, "nat": "none", "endpoints": []}
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA else"


def elsewhere(lab):
    """A network that somebody else made."""
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="theirs", Description="theirs")["GroupId"]
    return {"existing": {"vpc": {"id": vpc}, "subnets": {"ids": [subnet]}, "security_groups": {"ids": [group]}}}


def profile(lab):
    lab.client("iam").create_instance_profile(InstanceProfileName="theirs")
    return {"existing_instance_profile": "theirs"}


@pytest.mark.parametrize("network", [lambda lab: NO_NAT, elsewhere], ids=["the same", "another"])
def test_what_the_run_did_not_even_read_stays(lab, fails, network):
    """A run reads only what it declares, and the removal of what it added reads all that the stack has."""
    two = [{"name": "data"}, {"name": "old"}]
    old = {"key": {"name": "old", "public_key": OTHER_KEY}, "pools": [pool(count=1, placement="cluster"), pool(name="other", count=1)]}
    lab.run(network=NAT, buckets=two, repositories=two, identity={}, **old)
    there = everything(lab)
    for name in (id for kind, id in there if kind == "bucket"):
        lab.client("s3").put_object(Bucket=name, Key="one", Body=b"1")
    assert {"nat_gateway", "endpoint", "elastic_ip", "role", "instance_profile", "placement_group"} <= {kind for kind, _id in there}
    refuse(lab, times=0)
    told = fails(
        network=network(lab),
        buckets=[*two[:1], {"name": "new"}],
        repositories=two[:1],
        identity=profile(lab),
        pools=[pool(name="other")],
        force=["old", "train"],
    )
    assert told["rollback"] == "complete" and "bucket new" in told["rolled_back"]
    assert everything(lab) == there
