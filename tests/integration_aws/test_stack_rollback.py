# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed run takes back with on_failure: rollback, what it must spare, and what it says of the rest."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import QUIET, TRIXIE, pool

LEASED = {"lease": {"expire": "3h"}}


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
