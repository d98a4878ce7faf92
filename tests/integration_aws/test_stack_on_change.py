# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to instances whose image or type the declaration has left behind: kept, refused, changed in place, replaced."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.instance import Instance
from tests.integration_aws.pools import BOOKWORM, NO_CAPACITY, TRIXIE


@pytest.fixture
def go(lab):
    def run(count, check=False, max_delete=0, force=None, **more):
        pool = {"name": "train", "count": count, "instance_types": ["t3.large"], "image": BOOKWORM, **more}
        return lab.pools(pool, check=check, max_delete=max_delete, force=force)

    return run


def hosts(told):
    return told["outputs"]["pools"]["train"]["instance_ids"]


def reasons(told, *wanted):
    return {line["name"]: line["reason"] for line in told["plan"] if line["kind"] == "instance" and line["action"] in wanted}


def now(lab):
    """Id → (state, type) of all that have not ended."""
    there = [raw for raw in lab.instances() if raw["State"]["Name"] != "terminated"]
    return {raw["InstanceId"]: (raw["State"]["Name"], raw["InstanceType"]) for raw in there}


def test_refused(lab, go):
    go(1)
    with pytest.raises(StackError, match="the plan is blocked: instance train-0 .i-.*outdated: image_id ami-.*on_change is refuse"):
        go(1, image=TRIXIE, on_change="refuse")
    assert not go(1, on_change="refuse")["changed"]


def test_replaced_one_after_the_other_and_counted(lab, go, actions):
    made = hosts(go(3))
    planned = go(3, check=True, image=TRIXIE, on_change="replace", max_delete=3)
    assert actions(planned) == [("instance", f"train-{slot}", "replace") for slot in range(3)]
    reason = reasons(planned, "replace")["train-0"]
    assert "outdated: image_id ami-" in reason
    assert "it ends before its successor is launched: without capacity its slot stays empty" in reason
    assert planned["offers"]["train"] and planned["outputs"]["pools"]["train"]["instance_ids"] == [None] * 3
    with pytest.raises(StackError, match="max_delete is 2 and 3 would be deleted or replaced"):
        go(3, image=TRIXIE, on_change="replace", max_delete=2)
    lab.calls()
    told = go(3, image=TRIXIE, on_change="replace", max_delete=3)
    calls = lab.calls()
    assert told["plan_id"] == planned["plan_id"]
    assert calls["ec2:TerminateInstances"] == calls["ec2:RunInstances"] == 3
    assert sorted(lab.alive()) == sorted(hosts(told)) and not set(made) & set(lab.alive())
    assert not go(3, image=TRIXIE, on_change="replace")["changed"]


def test_without_capacity_no_more_than_one_is_lost(lab, go):
    made = hosts(go(3))
    lab.aws.fault(service="ec2", action="RunInstances", code=NO_CAPACITY, message="none", times=0)
    with pytest.raises(StackError) as caught:
        go(3, image=TRIXIE, on_change="replace", max_delete=3)
    assert f"train-0 ({made[0]}) ended to be replaced, and not all of the successors run" in caught.value.message
    assert caught.value.details["not_begun"] == ["train-1", "train-2"] and sorted(lab.alive()) == sorted(made[1:])
    with pytest.raises(StackError, match="pools.train has 2 of 3 instances, and no offer is left"):
        go(3, image=TRIXIE, on_change="replace", max_delete=3)
    assert sorted(lab.alive()) == sorted(made[1:]), "an empty slot comes before the next replacement"
    with pytest.raises(StackError, match="ended to be replaced, and there is no capacity for a successor"):
        go(3, image=TRIXIE, on_change="replace", max_delete=3, min=0)
    assert len(lab.alive()) == 1
    lab.aws.control("DELETE", "faults")
    assert go(3, image=TRIXIE, on_change="replace", max_delete=3)["changed"] and len(lab.alive()) == 3
    assert not go(3, image=TRIXIE, on_change="replace")["changed"]


def test_a_gang_is_replaced_whole(lab, go, actions):
    made = hosts(go(2, spread=False))
    go(3, spread=False, image=TRIXIE)
    planned = go(4, check=True, spread=False, image=TRIXIE, on_change="replace", max_delete=3)
    assert actions(planned) == [("instance", f"train-{slot}", "replace") for slot in range(3)] + [("instance", "train-3", "create")]
    assert "its gang is replaced whole" in reasons(planned, "replace")["train-2"]
    lab.calls()
    go(4, spread=False, image=TRIXIE, on_change="replace", max_delete=3)
    calls = lab.calls()
    assert calls["ec2:TerminateInstances"] == calls["ec2:RunInstances"] == 1, "all of them at once, the new member too"
    assert len(lab.alive()) == 4 and not set(made) & set(lab.alive())
    assert not go(4, spread=False, image=TRIXIE, on_change="replace")["changed"]


def test_a_protected_one_is_not_replaced(lab, go):
    [made] = hosts(go(1))
    lab.client("ec2").modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": True})
    with pytest.raises(StackError, match=r"has termination protection; name it in force: \[train-0\]"):
        go(1, image=TRIXIE, on_change="replace", max_delete=1)
    assert go(1, image=TRIXIE, on_change="replace", max_delete=1, force=["train-0"])["changed"] and made not in lab.alive()


def test_what_needs_no_replacement_reads_no_offers(lab, go):
    go(1)
    lab.calls()
    assert not go(1, on_change="replace")["changed"] and not go(1, on_change="in_place")["changed"]
    assert not {"ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes", "ec2:DescribeInstanceAttribute"} & set(lab.calls())


def test_another_type_in_place(lab, go, actions):
    made = hosts(go(2))
    bigger = {"instance_types": ["t4g.large", "t3.xlarge", "t3.2xlarge"], "on_change": "in_place"}
    planned = go(2, check=True, **bigger)
    assert actions(planned) == [("instance", "train-0", "update"), ("instance", "train-1", "update")]
    told = next(line for line in planned["plan"] if line["name"] == "train-0")
    assert (told["before"], told["after"]) == ({"instance_type": "t3.large"}, {"instance_type": "t3.xlarge"})
    assert told["reason"].startswith("instance_type t3.large becomes t3.xlarge: it is stopped and started")
    assert go(2, **bigger)["plan_id"] == planned["plan_id"]
    assert now(lab) == dict.fromkeys(made, ("running", "t3.xlarge")), "the first of those with the same architecture"
    assert not any(tag["Key"] == "mlinfra:changing" for raw in lab.instances() for tag in raw["Tags"])
    assert not go(2, **bigger)["changed"]


def test_a_stopped_one_changes_its_type_and_stays_stopped(lab, go):
    [made] = hosts(go(1))
    lab.client("ec2").stop_instances(InstanceIds=[made])
    assert "is stopped and stays so" in reasons(go(1, instance_types=["t3.xlarge"], on_change="in_place"), "update")["train-0"]
    assert now(lab) == {made: ("stopped", "t3.xlarge")}


def test_an_image_stays_in_place(lab, go):
    go(1)
    told = go(1, image=TRIXIE, on_change="in_place")
    assert not told["changed"] and "only the type changes in place" in reasons(told, "keep")["train-0"]


def test_instance_store_is_not_lost_unless_that_is_accepted(lab, go):
    [made] = hosts(go(1, instance_types=["g5.xlarge"]))
    other = {"instance_types": ["g5.2xlarge"], "on_change": "in_place"}
    with pytest.raises(StackError, match="it has 232 GiB of instance store, and what is there is lost with a stop. Set data_loss"):
        go(1, **other)
    assert now(lab) == {made: ("running", "g5.xlarge")}
    assert go(1, **other, data_loss="accepted")["changed"] and now(lab) == {made: ("running", "g5.2xlarge")}


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ({"instance_types": ["g5.xlarge"], "market": ["spot"]}, {"instance_types": ["g5.2xlarge"]}, "EC2 does not stop an instance"),
        ({}, {"instance_types": ["t4g.large"]}, "none of these is on offer in us-east-1a, On-Demand, for x86_64"),
        ({}, {"instance_types": ["g5.xlarge"], "max_hourly_usd": 0.5}, "none of these is on offer in us-east-1a, On-Demand, for x86_64"),
    ],
    ids=["spot", "architecture", "price"],
)
def test_what_cannot_change_in_place(lab, go, first, then, said):
    go(1, **first)
    before = now(lab)
    with pytest.raises(StackError, match=said):
        go(1, **{**then, "market": ["spot", "on_demand"]}, on_change="in_place")
    assert now(lab) == before


def test_without_capacity_for_one_type_it_becomes_the_next_and_without_any_what_it_was(lab, go):
    [made] = hosts(go(1))
    lab.aws.fault(service="ec2", action="StartInstances", code=NO_CAPACITY, message="none", times=1)
    told = go(1, instance_types=["t3.xlarge", "t3.2xlarge"], on_change="in_place")
    assert now(lab) == {made: ("running", "t3.2xlarge")}
    assert [(one["instance_type"], one["code"]) for one in told["offers_tried"]] == [("t3.xlarge", NO_CAPACITY), ("t3.2xlarge", None)]
    lab.aws.fault(service="ec2", action="StartInstances", code=NO_CAPACITY, message="none", times=1)
    with pytest.raises(StackError, match=f"train-0 .{made}. does not start with another type .t3.large: .*it runs as t3.2xlarge again"):
        go(1, on_change="in_place")
    assert now(lab) == {made: ("running", "t3.2xlarge")}
    lab.aws.fault(service="ec2", action="StartInstances", code=NO_CAPACITY, message="none", times=0)
    with pytest.raises(StackError, match=f"it is stopped as t3.2xlarge, which does not start either .{NO_CAPACITY}"):
        go(1, on_change="in_place")
    lab.aws.control("DELETE", "faults")
    assert go(1, on_change="in_place")["changed"] and now(lab) == {made: ("running", "t3.large")}, "the next run starts it"


@pytest.mark.parametrize("action", ["ModifyInstanceAttribute", "StartInstances", "DeleteTags"])
def test_a_run_that_died_in_the_middle_is_finished_by_the_next(lab, go, action):
    [made] = hosts(go(1))
    lab.aws.fault(service="ec2", action=action, code="UnauthorizedOperation", message="no", status=403)
    other = {"instance_types": ["t3.xlarge"], "on_change": "in_place"}
    with pytest.raises(StackError, match=f"not allowed: ec2:{action}"):
        go(1, **other)
    assert go(1, **other)["changed"] and now(lab) == {made: ("running", "t3.xlarge")}
    assert not any(tag["Key"] == "mlinfra:changing" for raw in lab.instances() for tag in raw["Tags"])
    assert not go(1, **other)["changed"]


def test_what_ends_first_needs_no_quota(lab, go):
    """Both instances fill the quota: their successors have their place, and nobody has to go to spot for it."""
    more = {"instance_types": ["g5.xlarge"], "market": ["on_demand", "spot"]}
    lab.aws.quotas({"L-DB2E81BA": 8})
    go(2, **more)
    go(2, **more, image=TRIXIE, on_change="replace", max_delete=2)
    there = [raw for raw in lab.instances() if raw["InstanceId"] in lab.alive()]
    assert len(there) == 2 and {raw.get("InstanceLifecycle") for raw in there} == {None}


def test_volumes_that_a_replaced_one_leaves_are_in_the_plan(lab, go):
    more = {"volumes": [{"gib": 10, "keep": True}]}
    go(1, **more)
    (raw,) = lab.instances()
    (kept,) = [one["Ebs"]["VolumeId"] for one in raw["BlockDeviceMappings"] if one["DeviceName"] == "/dev/sdf"]
    planned = go(1, check=True, **more, image=TRIXIE, on_change="replace", max_delete=1)
    assert reasons(planned, "replace")["train-0"].endswith(f"volume {kept} will stay: nothing here deletes it")


def test_one_that_is_turned_on_starts_once_and_as_its_new_type(lab, go):
    [made] = hosts(go(1))
    lab.client("ec2").stop_instances(InstanceIds=[made])
    other = {"instance_types": ["t3.xlarge"], "on_change": "in_place", "power": "running"}
    planned = reasons(go(1, check=True, **other), "update")["train-0"]
    assert "t3.large becomes t3.xlarge: it is stopped and started" in planned
    lab.calls()
    go(1, **other)
    assert lab.calls()["ec2:StartInstances"] == 1 and now(lab) == {made: ("running", "t3.xlarge")}
    assert not go(1, **other)["changed"]


@pytest.mark.parametrize("action", ["StartInstances", "DeleteTags"])
def test_one_that_is_to_be_off_by_now_is_not_started_for_what_a_run_left(lab, go, action):
    [made] = hosts(go(1))
    lab.aws.fault(service="ec2", action=action, code="UnauthorizedOperation", message="no", status=403)
    other = {"instance_types": ["t3.xlarge"], "on_change": "in_place"}
    with pytest.raises(StackError, match=f"not allowed: ec2:{action}"):
        go(1, **other)
    lab.calls()
    go(1, **other, power="stopped")
    assert "ec2:StartInstances" not in lab.calls() and now(lab) == {made: ("stopped", "t3.xlarge")}
    assert not any(tag["Key"] == "mlinfra:changing" for raw in lab.instances() for tag in raw["Tags"])
    assert not go(1, **other, power="stopped")["changed"]


def test_a_type_that_ec2_refuses_leaves_no_host_stopped(lab, go):
    [made] = hosts(go(1))
    refused = {"service": "ec2", "action": "ModifyInstanceAttribute", "code": "InvalidParameterCombination", "status": 400}
    lab.aws.fault(**refused, match="t3.xlarge", times=0)
    assert go(1, instance_types=["t3.xlarge", "t3.2xlarge"], on_change="in_place")["changed"]
    assert now(lab) == {made: ("running", "t3.2xlarge")}
    with pytest.raises(StackError, match="t3.xlarge: InvalidParameterCombination.: it runs as t3.2xlarge again"):
        go(1, instance_types=["t3.xlarge"], on_change="in_place")
    assert now(lab) == {made: ("running", "t3.2xlarge")}
    assert not any(tag["Key"] == "mlinfra:changing" for raw in lab.instances() for tag in raw["Tags"])


@pytest.mark.parametrize("call", ["ec2:TerminateInstances", "ec2:RunInstances"])
def test_killed_between_the_end_and_the_launch_of_a_successor(lab, go, actions, kill, call):
    """The next run goes on with the same wish: an empty slot, filled by the launch that the killed run made or would have made."""
    [old] = hosts(go(1))
    wish = {"image": TRIXIE, "on_change": "replace"}
    kill(call, {"name": "train", "count": 1, "instance_types": ["t3.large"], "image": TRIXIE, "on_change": "replace"}, max_delete=1)
    there = lab.alive()
    assert (len(there) == 1) == (call == "ec2:RunInstances") and old not in there
    whole = Instance.observe
    with pytest.MonkeyPatch.context() as patched:  # EC2 does not list the successor yet
        patched.setattr(Instance, "observe", lambda self, reader: [one for one in whole(self, reader) if one.id not in there])
        told = go(1, **wish)
    assert actions(told) == [("instance", "train-0", "create")], "and no line for the one that has ended"
    assert lab.alive() == (there or hosts(told)) and len(lab.alive()) == 1
    assert not go(1, **wish)["changed"]


def test_what_has_no_quota_for_its_successors_stays(lab, go):
    lab.aws.quotas({"L-DB2E81BA": 12})
    made = hosts(go(2, instance_types=["g5.xlarge"]))
    with pytest.raises(StackError, match="2 × g5.4xlarge need 32 vCPUs; .* allows 12, 0 are in use") as caught:
        go(2, instance_types=["g5.4xlarge"], on_change="replace", max_delete=2)
    assert caught.value.details["preflight"] and sorted(made) == lab.alive()
