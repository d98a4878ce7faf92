# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option power of a pool: started, stopped, left alone, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import BOOKWORM, TRIXIE


def pool(**more):
    return {"name": "train", "count": 2, "instance_types": ["t3.large"], "image": BOOKWORM, **more}


@pytest.fixture
def go(lab):
    """``go(power=…)`` runs the stack with one pool of two t3.large, which have no instance store."""

    def run(check=False, options=None, **more):
        return lab.pools(pool(**more), check=check, **(options or {}))

    return run


def states(lab):
    return sorted(raw["State"]["Name"] for raw in lab.instances())


def test_stopped_and_running_again(lab, go, actions):
    go()
    told = go(power="stopped", check=True)
    assert actions(told) == [("instance", "train-0", "update"), ("instance", "train-1", "update")]
    line = next(line for line in told["plan"] if line["name"] == "train-0")
    assert (line["before"], line["after"]) == ({"power": "running"}, {"power": "stopped"})
    assert states(lab) == ["running", "running"]
    assert go(power="stopped")["plan_id"] == told["plan_id"] and states(lab) == ["stopped", "stopped"]
    assert not go(power="stopped")["changed"]
    assert not go()["changed"], "unmanaged leaves them stopped"
    assert go(power="running")["summary"]["update"] == 2 and states(lab) == ["running", "running"]
    assert not go(power="running")["changed"]


def test_nothing_is_launched_only_to_be_stopped(lab, go, actions):
    told = go(power="stopped", count=1)
    assert actions(told, "pending") == [("instance", "train-0", "pending")] and lab.alive() == []
    assert "launched when power is running" in next(line["reason"] for line in told["plan"] if line["action"] == "pending")
    assert not go(power="stopped", count=1)["changed"]
    assert go(power="running", count=1)["summary"]["create"] == 1


def test_one_that_is_just_stopping_is_started(lab, go):
    ids = go()["outputs"]["pools"]["train"]["instance_ids"]
    lab.aws.timing(stopping=1.0)
    lab.client("ec2").stop_instances(InstanceIds=ids)
    assert go(power="running")["summary"]["update"] == 2 and states(lab) == ["running", "running"]


def test_no_capacity_to_start_is_said_with_the_instance(lab, go):
    (first, _second) = go(power="running")["outputs"]["pools"]["train"]["instance_ids"]
    lab.client("ec2").stop_instances(InstanceIds=[first])
    lab.aws.fault(service="ec2", action="StartInstances", code="InsufficientInstanceCapacity", message="none", times=0)
    with pytest.raises(
        StackError, match=f"train-0 .{first}, t3.large in us-east-1a. cannot be started.*slot is then filled where"
    ) as caught:
        go(power="running")
    assert caught.value.details["path"] == "pools.train.power" and caught.value.code == "InsufficientInstanceCapacity"


def test_a_stop_that_loses_data_has_to_be_accepted(lab, go):
    go(instance_types=["g5.xlarge"])
    with pytest.raises(StackError, match="g5.xlarge has 232 GiB of instance store.*set pools.train.data_loss: accepted"):
        go(instance_types=["g5.xlarge"], power="stopped")
    assert states(lab) == ["running", "running"]
    go(instance_types=["g5.xlarge"], power="stopped", data_loss="accepted")
    assert states(lab) == ["stopped", "stopped"]


def test_a_spot_instance_that_is_left_is_never_stopped(lab, go):
    go(market=["spot"])
    with pytest.raises(StackError, match="EC2 stops no one-time spot instance"):
        go(power="stopped")


def test_power_asks_for_nothing_where_nothing_is_to_be_stopped(lab, go):
    go()
    lab.calls()
    go()
    plain = lab.calls()
    go(power="running")
    assert lab.calls() == plain and "ec2:DescribeInstanceTypes" not in plain


def test_a_successor_that_would_stop_itself_and_lose_data_is_not_launched(lab, go):
    wish = {"count": 1, "instance_types": ["g5.xlarge"]}
    go(**wish)
    trixie = {"image": TRIXIE, "on_change": "replace"}
    before = lab.alive()
    with pytest.raises(StackError, match=r"pools.train.lease.on_idle is stop: g5.xlarge has instance store"):
        go(**wish, **trixie, lease={"idle": "1h"}, options={"max_delete": 1})
    assert lab.alive() == before
    go(**wish, **trixie, lease={"idle": "1h", "on_idle": "terminate"}, options={"max_delete": 1})
    assert len(lab.alive()) == 1 and lab.alive() != before
