# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances go when a pool shrinks, and which slots are filled when it grows again."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import BOOKWORM, TRIXIE


@pytest.fixture
def go(lab):
    """``go(count, …)`` runs the stack with one pool of that size; what a pool does not have is an option of the run."""

    def run(count, check=False, max_delete=9, force=None, **more):
        pool = {"name": "train", "count": count, "instance_types": ["t3.large"], "image": BOOKWORM, **more}
        return lab.pools(pool, check=check, max_delete=max_delete, force=force)

    return run


def hosts(told):
    return told["outputs"]["pools"]["train"]["instance_ids"]


def gone(told):
    return sorted(line["name"] for line in told["plan"] if line["kind"] == "instance" and line["action"] == "delete")


def test_what_does_not_run_goes_first_then_what_is_outdated_and_holes_are_filled(lab, go, actions):
    made = hosts(go(2))
    made += [one for one in hosts(go(4, image=TRIXIE)) if one not in made]
    assert gone(go(3, check=True, image=TRIXIE)) == ["train-1"], "two are outdated, and of these the higher slot goes"
    lab.client("ec2").stop_instances(InstanceIds=[made[2]])
    planned = go(2, check=True, image=TRIXIE)
    lines = {line["name"]: line["reason"] for line in planned["plan"] if line["action"] == "delete"}
    assert sorted(lines) == ["train-1", "train-2"]
    assert lines["train-2"].startswith("count is 2, there are 4, and this one is worth least (stop") and "outdated" in lines["train-1"]
    told = go(2, image=TRIXIE)
    assert told["plan_id"] == planned["plan_id"], "a run reads what the plan was made of"
    assert sorted(lab.alive()) == sorted([made[0], made[3]]) and hosts(told) == [made[0], made[3]]
    assert not go(2, image=TRIXIE)["changed"], "the pool lives on slots 0 and 3"
    assert actions(go(4, image=TRIXIE)) == [("instance", "train-1", "create"), ("instance", "train-2", "create")]


def test_spot_goes_before_on_demand_and_a_lease_that_ends_before_one_that_lasts(lab, go):
    made = hosts(go(2, instance_types=["g5.xlarge"]))
    made += [one for one in hosts(go(3, instance_types=["g5.xlarge"], market=["spot"])) if one not in made]
    tags = {made[0]: "2031-01-01T00:00:00Z", made[1]: "2031-01-02T00:00:00Z"}
    for one, when in tags.items():
        lab.client("ec2").create_tags(Resources=[one], Tags=[{"Key": "mlinfra:expires", "Value": when}])
    assert gone(go(2, check=True, instance_types=["g5.xlarge"])) == ["train-2"]
    assert gone(go(1, instance_types=["g5.xlarge"])) == ["train-0", "train-2"]
    assert lab.alive() == [made[1]]


def test_a_protected_one_stays_and_the_next_goes_instead(lab, go):
    made = hosts(go(4))
    ec2 = lab.client("ec2")
    ec2.modify_instance_attribute(InstanceId=made[3], DisableApiTermination={"Value": True})
    ec2.create_tags(Resources=[made[2]], Tags=[{"Key": "mlinfra:protect", "Value": "a colleague's run"}])
    ec2.create_tags(Resources=[made[1]], Tags=[{"Key": "mlinfra:protect", "Value": "false"}])
    lab.calls()
    assert gone(go(3)) == ["train-1"]
    assert lab.calls()["ec2:DescribeInstanceAttribute"] <= 8, "asked of those that might go, before and under the lock"
    assert sorted(lab.alive()) == sorted([made[0], made[2], made[3]])
    with pytest.raises(StackError) as caught:
        go(1)
    assert f"instance train-3 ({made[3]}): {made[3]} has termination protection; name its pool in force: [train]" in caught.value.message
    assert "(count is 1, there are 3, and protected are train-2, train-3)" in caught.value.message
    assert sorted(lab.alive()) == sorted([made[0], made[2], made[3]]), "none goes when not all may"
    with pytest.raises(StackError, match=f"{made[2]} has the tag mlinfra:protect; .*{made[3]} has termination protection"):
        go(0)
    assert gone(go(1, force=["train-3"])) == ["train-0", "train-3"], "a host may be named as well as its pool"
    with pytest.raises(StackError, match="has the tag mlinfra:protect"):
        lab.end()
    assert lab.end(force=["train"])["remaining"] == []


def test_it_is_asked_further_until_enough_are_found_that_may_go(lab, go):
    made = hosts(go(3))
    for one in made[1:]:
        lab.client("ec2").modify_instance_attribute(InstanceId=one, DisableApiTermination={"Value": True})
    assert gone(go(2)) == ["train-0"] and sorted(lab.alive()) == sorted(made[1:])


def test_growing_and_standing_still_ask_nothing_about_protection(lab, go):
    go(2)
    lab.calls()
    go(2)
    still = lab.calls()
    assert not {"ec2:DescribeInstanceAttribute", "ssm:GetParameter", "ec2:DescribeImages", "ec2:DescribeInstanceTypes"} & set(still)
    assert still["ec2:DescribeInstances"] == 1
    go(3)
    assert "ec2:DescribeInstanceAttribute" not in lab.calls()


def test_max_delete_counts_those_that_go(lab, go):
    go(3)
    with pytest.raises(StackError, match="max_delete is 1 and 2 would be deleted.*worth least"):
        go(1, max_delete=1)
    assert len(lab.alive()) == 3
