# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches that are answered in part: what lives is kept, and only the rest is asked for again."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import act, instance
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import pool


def test_the_living_of_a_replayed_launch_are_kept(lab, go, subnets, kill):
    wish = pool(count=3, zones=["us-east-1a"])
    kill("ec2:RunInstances", wish)
    there = lab.alive()
    assert len(there) == 3
    lab.client("ec2").terminate_instances(InstanceIds=there[1:2])
    whole, call = instance.Instance.observe, act.Act.call

    def now(self, service, operation, **params):
        """The emulator answers as at the launch; EC2 may, and may also tell how they are now."""
        answer = call(self, service, operation, **params)
        states = {raw["InstanceId"]: raw["State"] for raw in lab.instances()} if operation == "run_instances" else {}
        for raw in answer.get("Instances", ()) if states else ():
            raw["State"] = states[raw["InstanceId"]]
        return answer

    with pytest.MonkeyPatch.context() as unseen:
        unseen.setattr(act.Act, "call", now)
        unseen.setattr(instance.Instance, "observe", lambda self, reader: [one for one in whole(self, reader) if one.id not in there])
        go(wish)
    assert len(lab.alive()) == 3 and {there[0], there[2]} < set(lab.alive()), "one was launched, for the one that had ended"
    assert not go(wish)["changed"]


def test_a_reservation_that_takes_fewer_is_asked_for_as_many(lab, go, subnets):
    lab.client("ec2").create_capacity_reservation(
        InstanceType="g5.xlarge", InstancePlatform="Linux/UNIX", AvailabilityZone="us-east-1a", InstanceCount=2
    )
    lab.aws.fault(service="ec2", action="RunInstances", match="MaxCount=3", code="ReservationCapacityExceeded", status=400, times=0)
    wish = pool(count=3, zones=["us-east-1a"], market=["reservation", "on_demand"])
    told = go(wish)
    (reservation,) = lab.client("ec2").describe_capacity_reservations()["CapacityReservations"]
    assert (len(lab.alive()), reservation["AvailableInstanceCount"]) == (3, 0)
    assert [(one["market"], one["code"]) for one in told["offers_tried"]] == [("reservation", None), ("on_demand", None)]
    assert not go(wish)["changed"]


def test_one_that_takes_too_long_does_not_hide_why_another_failed(lab, go, subnets):
    lab.aws.timing(pending=60)
    lab.aws.fault(service="ec2", action="RunInstances", match="g6.xlarge", code="InvalidParameterValue", message="wrong", times=0)
    with pytest.raises(StackError, match=r"InvalidParameterValue: wrong.*; and launching 1 instances took longer than wait_timeout, 2 s"):
        go(pool(count=1), pool(name="other", count=1, instance_types=["g6.xlarge"]), wait_timeout=2)
