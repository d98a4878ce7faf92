# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that ends leased instances: one for each region, since IAM has one name for all; never somebody else's."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import schedule
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope
from tests.integration_aws.pools import BOOKWORM

LEASE = {"expire": "3h", "enforce": "scheduler"}
OLD, NEW = "vision-dev-leases", "vision-dev-leases-us-east-1"


@pytest.fixture
def go(lab):
    def run(check=False, lease=LEASE, **more):
        pool = {"name": "train", "count": 1, "instance_types": ["t3.large"], "image": BOOKWORM, "lease": lease}
        return lab.pools(pool, check=check, **more)

    return run


def roles(lab):
    return sorted(role["RoleName"] for role in lab.client("iam").list_roles()["Roles"] if "-leases" in role["RoleName"])


def used(lab):
    """The roles of the schedules."""
    client = lab.client("scheduler")
    return [client.get_schedule(Name=one["Name"])["Target"]["RoleArn"].rpartition("/")[2] for one in client.list_schedules()["Schedules"]]


def test_two_regions_have_a_role_each(lab, go, monkeypatch):
    go()
    monkeypatch.setitem(lab.options, "region", "us-west-2")
    go(region="us-west-2")
    assert roles(lab) == [NEW, "vision-dev-leases-us-west-2"]
    lab.end(region="us-west-2")
    assert roles(lab) == [NEW], "the other region's stays"


def test_a_role_of_that_name_that_others_made_is_in_the_way(lab, go):
    lab.client("iam").create_role(RoleName=NEW, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))
    for check in (True, False):
        with pytest.raises(StackError, match=f"pools wants schedule_role {NEW}: one of that name is there, and this stack did not make it"):
            go(check=check)
    assert lab.alive() == []


def test_the_role_of_an_older_version_is_left_for_the_new_one(lab, go, actions, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(schedule, "role_name", lambda scope: f"{scope.prefix}-leases")
        older.setattr(schedule, "_old_role_name", lambda scope: "none")
        go()
    assert (roles(lab), used(lab)) == ([OLD], [OLD])
    assert actions(go(check=True)) == [("schedule_role", "leases", "create"), ("schedule", "train-0", "update")]
    go()
    assert (roles(lab), used(lab)) == ([OLD, NEW], [NEW])
    assert not go()["changed"], "the old one is no hindrance"
    assert actions(go(prune=True)) == [("schedule_role", f"leases ({OLD})", "delete")]
    assert roles(lab) == [NEW] and not go(prune=True)["changed"]


@pytest.mark.parametrize(
    ("stack", "region", "name"),
    [
        ("vision", "us-east-1", "vision-dev-leases-us-east-1"),
        ("a" * 32, "ap-southeast-1", "a" * 32 + "-dev-leases-ap-southeast-1"),
    ],
)
def test_its_name(stack, region, name):
    assert schedule.role_name(Scope("1", region, stack, "dev")) == name


def test_long_names_are_cut_and_stay_different():
    names = [schedule.role_name(Scope("1", "ap-southeast-1", "a" * 32, "b" * 15 + end)) for end in "xy"]
    assert [len(name) for name in names] == [64, 64] and len(set(names)) == 2
    assert all(name.endswith("-leases-ap-southeast-1") for name in names)
