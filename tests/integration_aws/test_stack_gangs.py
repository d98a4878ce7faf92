# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools whose hosts have to be together: they stay in their zone, count what is really there, and end whole when EC2 takes one away."""

from __future__ import annotations

import time
import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launching
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import model
from tests.integration_aws.pools import pool

KEPT = [{"gib": 10, "keep": True}]
A, B = "us-east-1a", "us-east-1b"


@pytest.fixture
def gang(lab):
    """``gang(count, …)`` runs the stack with one pool that is not spread."""

    def run(count, options=None, **more):
        return lab.pools(pool(count=count, spread=False, **more), **(options or {}))

    return run


@pytest.fixture
def taken_back(lab, monkeypatch):
    """EC2 takes one of the first launch away before it runs; gives its id, once there is one."""
    taken = []
    whole = launching.read_instances

    def read(reader, ids):
        if not taken:
            taken.append(ids[0])
            lab.client("ec2").modify_instance_attribute(InstanceId=ids[0], DisableApiTermination={"Value": False})
            lab.client("ec2").terminate_instances(InstanceIds=ids[:1])
        raws = whole(reader, ids)
        for raw in raws:
            if raw["InstanceId"] == taken[0]:
                raw["StateReason"] = {"Code": "Server.InsufficientInstanceCapacity", "Message": "none"}
        return raws

    monkeypatch.setattr(launching, "read_instances", read)
    return taken


def zones(lab):
    return sorted(raw["Placement"]["AvailabilityZone"] for raw in lab.instances() if raw["InstanceId"] in lab.alive())


def volumes(lab):
    """Ids of all volumes that no instance has."""
    left = lab.client("ec2").describe_volumes(Filters=[{"Name": "tag:mlinfra:pool", "Values": ["train"]}])["Volumes"]
    return {one["VolumeId"] for one in left if one["State"] == "available"}


def test_a_growing_gang_goes_nowhere_else(lab, gang):
    gang(2)
    assert zones(lab) == [A, A]
    with pytest.raises(StackError, match=f"the pool's hosts are in {A}, and all have to be in one zone"):
        gang(3, exclude_zones=[A])
    assert zones(lab) == [A, A]
    gang(3, {"max_delete": 2}, zones=[B], on_change="replace")
    assert zones(lab) == [B, B, B], "replaced whole it may move"


@pytest.mark.parametrize("protected", [True, False])
def test_the_survivors_of_a_gang_end_and_their_volumes_are_named(lab, gang, taken_back, protected):
    told = gang(3, termination_protection=protected, volumes=KEPT)
    assert zones(lab) == [B, B, B]
    left = volumes(lab)
    assert len(left) == 3
    (warning,) = [one for one in told["warnings"] if "keep: true" in one]
    assert warning.startswith("pools.train: train-") and f"({taken_back[0]})" in warning and "of /dev/sdf stays and costs" in warning
    assert sum(one in warning for one in left) >= 2, "of the survivors EC2 says what they have; of one that ended in a moment it may not"
    assert not gang(3, termination_protection=protected, volumes=KEPT)["changed"]


def test_what_stays_is_also_told_by_a_run_that_fails(lab, gang):
    lab.aws.fault(service="ec2", action="RunInstances", terminate="Client.InternalError: Client error on launch")
    with pytest.raises(StackError, match="accepted and ended before they ran") as caught:
        gang(2, volumes=KEPT)
    (warning,) = caught.value.details["warnings"]
    assert "of /dev/sdf stays and costs" in warning and len(volumes(lab)) == 2
    assert "available volumes with the tag mlinfra:pool train" in warning or all(one in warning for one in volumes(lab))


def test_a_slot_that_stays_empty_is_not_there(lab, gang, monkeypatch):
    """Its lease is over, so that of four slots three are launched."""
    lease = {"lease": {"expire": "3h"}, "zones": [A]}
    (first,) = gang(1, **lease)["outputs"]["pools"]["train"]["instance_ids"]
    lab.client("ec2").terminate_instances(InstanceIds=[first])
    monkeypatch.setattr(model, "time", types.SimpleNamespace(time=lambda: time.time() + 4 * 3600))
    lab.aws.fault(service="ec2", action="RunInstances", capacity=2, times=0)
    with pytest.raises(StackError, match="pools.train has 0 of 4 instances, and no offer is left"):
        gang(4, min=3, **lease)
    assert lab.alive() == []
    assert gang(4, min=2, **lease)["summary"]["create"] == 3
    lab.client("ec2").terminate_instances(InstanceIds=lab.alive()[:1])
    assert gang(4, **lease)["summary"]["create"] == 1 and len(lab.alive()) == 3, "all that can be had, though count is more"
    assert not gang(4, **lease)["changed"]
