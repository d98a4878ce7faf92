# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of a plan."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter.plan_table import plan_table


def change(action: str, kind: str, name: str, reason: str = "") -> dict:
    return {"action": action, "kind": kind, "name": name, "reason": reason, "before": None, "after": None, "id": None}


def result(*plan: dict) -> dict:
    summary: dict = {}
    for one in plan:
        summary[one["action"]] = summary.get(one["action"], 0) + 1
    return {"plan": list(plan), "plan_id": "3f6c1d0a9b7e4c55", "summary": summary, "account_id": "123456789012", "region": "us-east-1"}


def test_changes_are_aligned_and_what_is_kept_is_counted():
    plan = result(
        change("create", "bucket", "artifacts", "does not exist"),
        change("keep", "vpc", "network"),
        change("update", "instance", "train-0", "tags\n differ"),
    )

    assert plan_table(plan) == [
        "Account 123456789012, us-east-1: 1 to create, 1 to update, 1 to keep",
        "create  bucket    artifacts  does not exist",
        "update  instance  train-0    tags differ",
        "plan_id 3f6c1d0a9b7e4c55",
    ]


def test_the_plan_keeps_its_order_but_what_cannot_go_on_comes_first():
    plan = result(
        change("create", "vpc", "a"), change("delete", "bucket", "b"), change("foreign", "role", "c"), change("blocked", "bucket", "d")
    )

    assert [line.split()[0] for line in plan_table(plan)[1:-1]] == ["blocked", "foreign", "create", "delete"]


def test_nothing_to_change():
    assert plan_table(result(change("keep", "vpc", "network")))[0] == "Account 123456789012, us-east-1: nothing to change, 1 to keep"
    assert plan_table(result())[0] == "Account 123456789012, us-east-1: nothing to change, nothing there"


@pytest.mark.parametrize("value", [None, [], {"msg": "failed"}])
def test_what_is_no_result_is_refused(value):
    with pytest.raises(AnsibleFilterError, match="Register it"):
        plan_table(value)
