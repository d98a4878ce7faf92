# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS does on its bad days, one by one. Every fault at every write of a stack's life: ``make faults``, and test_faults.py for some."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import propagation
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.instance import Instance
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse_scope
from tests.integration_aws.pools import BOOKWORM

CHECKOUT = Path(__file__).resolve().parents[2]
SMALL = {
    "network": {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["192.0.2.0/24"]}},
    "pools": [{"name": "train", "count": 2, "instance_types": ["g5.xlarge"], "image": BOOKWORM}],
    "buckets": [{"name": "data", "versioning": True, "lifecycle": [{"expire_days": 7}]}],
    "identity": {"read": ["data"], "managed_policies": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]},
}
HOSTS_ONLY = dict.fromkeys(("key", "buckets", "repositories", "identity"))


def _counted(lab) -> dict[str, int]:
    """How many of each kind there are that carry the stack's tags, whoever made them."""
    tags = lab.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": ["mlinfra:stack"]}])["Tags"]
    counted = collections.Counter(tag["ResourceType"] for tag in tags)
    counted["instance"] = len(lab.alive())
    counted["key-pair"] = len(lab.client("ec2").describe_key_pairs()["KeyPairs"])
    return {kind: counted[kind] for kind in ("vpc", "subnet", "internet-gateway", "route-table", "security-group", "key-pair", "instance")}


ONE_OF_EACH = {"vpc": 1, "subnet": 1, "internet-gateway": 1, "route-table": 1, "security-group": 1, "key-pair": 1, "instance": 2}


def test_an_error_names_its_call_and_the_next_run_goes_on(lab):
    lab.aws.fault(service="ec2", action="CreateSubnet", code="ValidationError", status=400)
    with pytest.raises(StackError, match="ec2:CreateSubnet failed: ValidationError"):
        lab.run(**SMALL)
    lab.run(**SMALL)
    assert _counted(lab) == ONE_OF_EACH


def _killed(lab, call: str, **sections) -> None:
    service, action = call.split(":")
    script = Path(__file__).with_name("killed_script.py")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".build" / "collections")}
    declared = json.dumps(lab.declared({**SMALL, **sections}))
    died = subprocess.run(
        [sys.executable, str(script), lab.aws.url, service, action], input=declared, text=True, capture_output=True, env=environment
    )
    assert died.returncode == 9, died.stderr


def test_a_launch_that_nobody_sees_yet_is_not_made_twice(lab):
    """EC2 does not list the instances of a killed run yet: the same request again, with the same token, answers with them."""
    _killed(lab, "ec2:RunInstances")
    there = lab.alive()
    reader = "ansible_collections.mlinfra.hosts.plugins.module_utils.aws.instance.Instance.observe"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reader, lambda self, reader: [])
        lab.run(**SMALL)
    assert lab.alive() == there
    assert not lab.run(**SMALL)["changed"]


def test_a_slot_whose_instance_ended_so_long_ago_that_it_is_not_listed(lab):
    """EC2 lists ended instances for an hour and refuses their token for a day."""
    lab.run(**SMALL)
    for _time in range(2):
        lab.client("ec2").terminate_instances(InstanceIds=lab.alive())
        with pytest.MonkeyPatch.context() as patched:
            _hide_ended(patched)
            assert lab.run(**SMALL)["summary"]["create"] == 2
            assert len(lab.alive()) == 2 and not lab.run(**SMALL)["changed"]


def _hide_ended(patched):
    whole = Instance.observe
    patched.setattr(Instance, "observe", lambda self, reader: [one for one in whole(self, reader) if "ended" not in one.facts])


def test_a_removal_goes_on_while_what_the_killed_one_ended_is_still_going(lab):
    lab.run(**SMALL)
    lab.aws.timing(shutting_down=2.0)
    lab.client("ec2").terminate_instances(InstanceIds=lab.alive())
    assert lab.end()["remaining"] == []


def test_a_new_profile_takes_its_time(lab):
    lab.aws.timing(profile_propagation=1.5, pending=0.1)
    lab.run(**SMALL)
    assert lab.calls()["ec2:RunInstances"] > 1


def test_a_profile_error_without_a_new_profile_stops_at_once(lab, monkeypatch):
    monkeypatch.setattr(propagation, "FRESH", -60)  # as if the profile were minutes old
    lab.run(**{**SMALL, "pools": None})
    lab.aws.fault(service="ec2", action="RunInstances", times=0, code="InvalidParameterValue", message="Invalid IAM Instance Profile name")
    lab.calls()
    with pytest.raises(StackError, match="Invalid IAM Instance Profile name"):
        lab.run(**SMALL)
    assert lab.calls()["ec2:RunInstances"] == 1


def test_new_resources_that_are_not_everywhere_yet(lab):
    lab.aws.timing(visibility=1.0, pending=0.1)
    lab.run(**SMALL)
    assert _counted(lab) == ONE_OF_EACH


def test_throttling_is_waited_out(lab):
    for service, action in (
        ("ec2", "DescribeVpcs"),
        ("ec2", "CreateVpc"),
        ("ec2", "RunInstances"),
        ("iam", "CreateRole"),
        ("s3", "CreateBucket"),
    ):
        code = {"ec2": "RequestLimitExceeded", "iam": "Throttling", "s3": "SlowDown"}[service]
        lab.aws.fault(service=service, action=action, times=2, code=code, status=503)
    lab.run(**SMALL)
    assert _counted(lab) == ONE_OF_EACH


def test_accepted_and_then_ended(lab):
    lab.aws.fault(service="ec2", action="RunInstances", terminate="Client.InternalError: Client error on launch")
    with pytest.raises(StackError) as caught:
        lab.run(**SMALL)
    assert "pools.train: 2 of its instances were accepted and ended before they ran" in caught.value.message
    assert "Client.InternalError: Client error on launch" in caught.value.message
    lab.run(**SMALL)
    assert _counted(lab) == ONE_OF_EACH and len(lab.instances()) == 4


def test_capacity_that_is_not_there(lab):
    lab.aws.fault(service="ec2", action="RunInstances", code="InsufficientInstanceCapacity", message="no g5.xlarge in us-east-1a", times=0)
    with pytest.raises(StackError, match="no offer is left .*us-east-1a, on_demand: InsufficientInstanceCapacity") as caught:
        lab.run(**SMALL)
    assert caught.value.details["offers_tried"][0]["message"] == "no g5.xlarge in us-east-1a"
    lab.aws.control("DELETE", "faults")
    assert lab.run(**SMALL)["summary"]["create"] == 2


def test_rollback_leaves_what_was_there_before(lab):
    lab.run(**{**SMALL, **HOSTS_ONLY, "pools": None})
    before = _counted(lab)
    lab.aws.fault(service="ec2", action="RunInstances", code="VcpuLimitExceeded", status=400)
    with pytest.raises(StackError, match="VcpuLimitExceeded") as caught:
        lab.run(**SMALL, on_failure="rollback")
    assert caught.value.details["rollback"] == "complete"
    assert {one.split()[0] for one in caught.value.details["rolled_back"]} == {
        "bucket",
        "repository",
        "role",
        "instance_profile",
        "key_pair",
    }
    assert _counted(lab) == before
    assert not lab.plan(**{**SMALL, **HOSTS_ONLY, "pools": None})["changed"]


def test_a_launch_of_one_pool_that_ends_goes_on_whatever_other_pools_there_are(lab):
    """The run forgot the ended instances with the first pool and looked for them with the second one."""
    types = ["g5.xlarge", "g6.xlarge"]
    pools = [{"name": name, "count": 1, "instance_types": types, "image": BOOKWORM} for name in ("serve", "train")]
    lab.aws.fault(service="ec2", action="RunInstances", terminate="Server.InsufficientInstanceCapacity: none")
    lab.run(**{**SMALL, "pools": pools})
    assert len(lab.alive()) == 2 and not lab.run(**{**SMALL, "pools": pools})["changed"]


def _lost(lab, call: str) -> None:
    service, action = call.split(":")
    lab.aws.fault(service=service, action=action, code="InternalError", status=500, after_effect=True)


@pytest.mark.parametrize("call", ["ec2:RevokeSecurityGroupIngress", "iam:DetachRolePolicy"])
def test_what_was_taken_away_already_is_no_failure_of_a_change(lab, call):
    lab.run(**{**SMALL, "pools": None})
    elsewhere = {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["198.51.100.0/24"]}}
    change = {**SMALL, "pools": None, "network": elsewhere, "identity": {"read": ["data"]}}
    _lost(lab, call)
    assert lab.run(**change)["changed"] and not lab.run(**change)["changed"]


@pytest.mark.parametrize("call", ["iam:DetachRolePolicy", "iam:RemoveRoleFromInstanceProfile", "ec2:DisassociateRouteTable"])
def test_a_part_that_is_gone_is_not_taken_for_the_whole_in_a_removal(lab, call):
    lab.run(**{**SMALL, "pools": None})
    _lost(lab, call)
    assert lab.end()["remaining"] == []


def test_a_removal_takes_a_dead_lock_away_and_leaves_one_that_is_held(lab):
    ssm, name = lab.client("ssm"), "/mlinfra/vision/dev/lock"
    for expires, left in ((4102444800, 1), (1, 0)):
        ssm.put_parameter(Name=name, Value=json.dumps({"run": "x", "expires": expires}), Type="String", Overwrite=True)
        assert not lab.end()["changed"]
        assert len(ssm.get_parameters(Names=[name])["Parameters"]) == left


def test_what_is_read_of_a_stack_has_its_schedules(lab):
    leased = [{**SMALL["pools"][0], "lease": {"expire": "3h", "enforce": "scheduler"}}]
    made = lab.run(**{**SMALL, "pools": leased})["outputs"]["pools"]["train"]["instance_ids"]
    declared = lab.declared({})
    scope = parse_scope({word: declared[word] for word in ("name", "environment", "account_id", "region")})
    read = [one for one in engine.read(scope, lab.clients())["resources"] if one["kind"] == "schedule"]
    assert sorted(one["id"].rpartition("-i-")[2] for one in read) == sorted(id.removeprefix("i-") for id in made)
