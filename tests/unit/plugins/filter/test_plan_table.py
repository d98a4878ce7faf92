# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of a plan."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter.plan_table import plan_table


def change(action: str, kind: str, name: str, reason: str = "", **more) -> dict:
    return {"action": action, "kind": kind, "name": name, "reason": reason, "before": None, "after": None, "id": None, **more}


def result(*plan: dict) -> dict:
    summary: dict = {}
    for one in plan:
        summary[one["action"]] = summary.get(one["action"], 0) + 1
    return {"plan": list(plan), "plan_id": "3f6c1d0a9b7e4c55", "summary": summary, "account_id": "123456789012", "region": "us-east-1"}


def test_changes_are_aligned_and_what_is_kept_is_counted():
    bucket = {"bucket_name": "vision-dev-artifacts-123456789012", "versioning": "Off"}
    plan = result(
        change("create", "bucket", "artifacts", "does not exist", after=bucket),
        change("keep", "vpc", "network"),
        change("update", "instance", "train-0", "tags\n differ"),
    )

    assert plan_table(plan) == [
        "Account 123456789012, us-east-1: 1 to create, 1 to update, 1 to keep",
        "create  bucket    artifacts  vision-dev-artifacts-123456789012",
        "update  instance  train-0    tags differ",
        "plan_id 3f6c1d0a9b7e4c55",
    ]


def test_what_was_done_is_said_as_done():
    made, gone = change("create", "vpc", "main", after={"cidr": "10.42.0.0/16"}), change("delete", "instance", "cpu-0", id="i-1")
    plan = result(made, gone)

    assert plan_table(plan, done=True)[:3] == [
        "Account 123456789012, us-east-1: 1 deleted, 1 created",
        "created  vpc       main   10.42.0.0/16",
        "deleted  instance  cpu-0  i-1",
    ]


def test_an_update_shows_the_values_that_fit_a_line():
    before, after = {"versioning": "Off", "policy": {}, "same": 1}, {"versioning": "Enabled", "policy": {"Version": "1"}, "same": 1}

    assert plan_table(result(change("update", "bucket", "data", "versioning differs", before=before, after=after)))[1] == (
        "update  bucket  data  versioning differs (versioning: Off → Enabled)"
    )


def test_the_plan_keeps_its_order_but_what_cannot_go_on_comes_first():
    plan = result(
        change("create", "vpc", "a"), change("delete", "bucket", "b"), change("foreign", "role", "c"), change("blocked", "bucket", "d")
    )

    assert [line.split()[0] for line in plan_table(plan)[1:-1]] == ["blocked", "foreign", "create", "delete"]


def test_what_stays_is_listed_where_it_costs_something():
    plan = result(
        change("keep", "vpc", "main", "exists already: read, never written", id="vpc-1"),
        change("keep", "instance", "train-7", "not declared; prune would remove it", id="i-1"),
    )

    assert plan_table(plan)[:2] == [
        "Account 123456789012, us-east-1: nothing to change, 2 to keep",
        "keep  instance  train-7  i-1 not declared; prune would remove it",
    ]


def test_nothing_to_change():
    assert plan_table(result(change("keep", "vpc", "network")))[0] == "Account 123456789012, us-east-1: nothing to change, 1 to keep"
    assert plan_table(result())[0] == "Account 123456789012, us-east-1: nothing to change, nothing there"


def test_what_is_launched_has_its_price_and_its_end():
    offer = {"instance_type": "g5.xlarge", "zone": "us-east-1a", "market": "spot"}
    made = [change("create", "instance", f"train-{slot}", after={**offer, "expires": "2026-11-29T23:44:00Z"}) for slot in (0, 1)]
    other = change("create", "instance", "train-2", after={**offer, "market": "on_demand"})
    held = change("create", "instance", "train-3", after={**offer, "market": "reservation"})
    offers = [{**offer, "usd_per_hour": 0.4}, {**offer, "market": "on_demand", "usd_per_hour": None}]
    plan = {**result(*made, other, held), "offers": {"train": offers}}
    assert plan_table(plan)[1:-1] == [
        "create  instance  train-0  g5.xlarge us-east-1a spot 0.4 USD/h leased until 2026-11-29T23:44:00Z",
        "create  instance  train-1  g5.xlarge us-east-1a spot 0.4 USD/h leased until 2026-11-29T23:44:00Z",
        "create  instance  train-2  g5.xlarge us-east-1a on_demand",
        "create  instance  train-3  g5.xlarge us-east-1a reservation",
        "launches 4: 0.80 USD an hour at the first offers, and 1 without a known price, and 1 into what is paid for already",
    ]
    assert not [line for line in plan_table(plan, done=True) if line.startswith("launches")]


def test_a_successor_costs_what_its_pool_offers_first():
    """Its line has only what differs."""
    offer = {"instance_type": "p5.48xlarge", "zone": "us-east-1a", "market": "on_demand", "usd_per_hour": 55.04}
    successor = change("replace", "instance", "big-pool-0", "image differs", after={"image": "ami-2"})
    plan = {**result(successor), "offers": {"big-pool": [offer]}}
    assert "launches 1: 55.04 USD an hour at the first offers" in plan_table(plan)


def test_what_goes_says_why_and_what_is_bounded_says_how_it_would():
    gone = change("delete", "instance", "train-1", "worth least (spot)", id="i-1")
    bounded = [change("blocked", "instance", f"train-{slot}", "max_delete is 0 and 2 would be deleted or replaced (x)") for slot in (2, 3)]
    shielded = change("blocked", "instance", "train-4", "i-4 is protected")
    told = plan_table(result(gone, *bounded, shielded))
    assert [line for line in told if "train-1" in line] == ["delete   instance  train-1  i-1 worth least (spot)"]
    assert "to carry it out all the same: aws_stack_max_delete: 2" in told


def test_an_adoption_is_a_change():
    told = plan_table(result(change("adopt", "instance", "train-0", "it is as declared")), done=True)
    assert told[:2] == ["Account 123456789012, us-east-1: 1 adopted", "adopted  instance  train-0  it is as declared"]


@pytest.mark.parametrize("value", [None, [], {"msg": "failed"}])
def test_what_is_no_result_is_refused(value):
    with pytest.raises(AnsibleFilterError, match="Register it"):
        plan_table(value)


def test_what_stands_in_the_way_is_shown_before_it_happens():
    findings = [("ok", "fits"), ("unknown", "nobody knows"), ("warning", "is full"), ("ok", "fits too")]
    told = [{"verdict": verdict, "path": "pools.train", "text": text} for verdict, text in findings]
    plan = {**result(change("create", "vpc", "main")), "preflight": told}

    assert plan_table(plan)[2:-1] == [
        "preflight warning: pools.train: is full",
        "preflight unknown: pools.train: nobody knows",
        "preflight: 2 of 4 checks passed",
    ]
    assert not [line for line in plan_table(plan, done=True) if line.startswith("preflight")]
    assert len(plan_table({**plan, "preflight": []})) == 3
