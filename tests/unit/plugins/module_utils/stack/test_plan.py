# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning needs no network: declaration and observation in, changes out."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, ImageFacts, Intent, Observed, Ref, resolve
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.outputs import outputs
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import (
    Access,
    Bucket,
    Control,
    ExistingNetwork,
    Identity,
    Image,
    Key,
    Network,
    Pool,
    Reference,
    Repository,
    Scope,
    Stack,
)

SCOPE = Scope("123456789012", "us-east-1", "vision", "dev", {"cost-center": "ml"}, iam_path="/mlinfra/vision/dev/")
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
POOL = Pool("train", 2, ("g5.xlarge", "g5.2xlarge"), Image(id="ami-1"))
STACK = Stack(
    SCOPE,
    network=Network(cidr="10.42.0.0/16", zone_count=2, access=Access(cidrs=("192.0.2.0/24",))),
    key=Key("vision-dev", "ssh-ed25519 AAAA me"),
    buckets=(Bucket("data", "vision-dev-data-123456789012"),),
    repositories=(Repository("train", "vision-dev/train"),),
    identity=Identity(read=("data",), pull=("train",)),
    pools=(POOL,),
)


def changed(stack: Stack = STACK, **sections) -> Stack:
    return dataclasses.replace(stack, **sections)


def empty() -> Observed:
    seen = Observed("123456789012", "aws", "us-east-1", {kind.name: [] for kind in KINDS}, zones=ZONES)
    seen.images = {"train": ImageFacts("ami-1", root_gib=8)}
    seen.market = Market({"g5.xlarge": ZONES, "g5.2xlarge": ZONES}, {})
    return seen


def intent(stack: Stack = STACK, **control) -> Intent:
    return Intent(stack, Control(**control))


def carried_out(stack: Stack = STACK, seen: Observed = None) -> Observed:
    """What an observation would find after the plan of an empty account."""
    seen = seen or empty()
    changes = planning.plan(intent(stack), seen)
    after = dataclasses.replace(seen, found={kind: list(found) for kind, found in seen.found.items()})
    ids = {Ref(change.kind, change.name): f"{change.kind}-{change.name}" for change in changes}
    for change in changes:
        if change.action != "create":
            continue
        state = resolve(change.wish.state, ids.get)
        found = Found(change.kind, change.name, ids[Ref(change.kind, change.name)], state, dict(change.wish.tags), owned=True)
        if change.kind == "instance":
            slot = change.wish.make["slot"]
            found.facts = {"pool": "train", "slot": slot, "slots": [slot], "status": "running", "private_ip": f"10.42.0.{slot}"}
        if change.kind == "repository":
            found.facts = {"uri": "x"}
        after.found[change.kind].append(found)
    return after


def lines(changes, *actions):
    return [(change.kind, change.name, change.action) for change in changes if not actions or change.action in actions]


def test_an_empty_account_gets_everything_in_order():
    changes = planning.plan(intent(), empty())
    assert {change.action for change in changes} == {"create"}
    assert [change.kind for change in changes] == [
        *["vpc", "subnet", "subnet", "internet_gateway", "route_table", "security_group", "key_pair"],
        *["bucket", "repository", "role", "instance_profile", "instance", "instance"],
    ]
    assert all(change.id is None and change.before is None for change in changes)
    json.dumps([change.public() for change in changes])


def test_outputs_are_named_before_anything_is_there():
    seen = empty()
    told = outputs(intent(), seen, planning.plan(intent(), seen))
    assert told["vpc_id"] is None and told["subnets"] == {"public-us-east-1a": None, "public-us-east-1b": None}
    assert told["repositories"] == {"train": "123456789012.dkr.ecr.us-east-1.amazonaws.com/vision-dev/train"}
    assert told["pools"] == {"train": {"instance_ids": [None, None], "private_ips": [None, None]}}


def test_nothing_to_do():
    changes = planning.plan(intent(), carried_out())
    assert {change.action for change in changes} == {"keep"}
    assert planning.diff(changes) == [] and planning.summary(changes) == {"keep": 13}


def test_a_section_that_is_not_given_is_not_planned():
    seen = carried_out()
    changes = planning.plan(intent(changed(buckets=None, identity=None, pools=None), prune=True, max_delete=99), seen)
    assert not {"bucket", "instance"} & {change.kind for change in changes}
    assert {change.action for change in changes} == {"keep"}


def test_drift_is_an_update_with_both_sides():
    seen = carried_out()
    seen.get("bucket", "data").state["versioning"] = "Enabled"
    seen.get("vpc", "main").tags["cost-center"] = "other"
    seen.get("vpc", "main").tags["theirs"] = "stays"
    vpc, bucket = (change for change in planning.plan(intent(), seen) if change.acts)
    assert (vpc.action, vpc.tags, vpc.before, vpc.after) == (
        "update",
        {"cost-center": "ml"},
        {"tags": {"cost-center": "other"}},
        {"tags": {"cost-center": "ml"}},
    )
    assert (bucket.fields, bucket.before, bucket.after) == (("versioning",), {"versioning": "Enabled"}, {"versioning": "Off"})
    assert bucket.reason == "versioning differ"


def test_more_and_fewer_hosts():
    seen = carried_out()
    more = changed(pools=(dataclasses.replace(POOL, count=4),))
    assert lines(planning.plan(intent(more), seen), "create") == [("instance", "train-2", "create"), ("instance", "train-3", "create")]
    fewer = changed(pools=(dataclasses.replace(POOL, count=0),))
    blocked = planning.plan(intent(fewer, max_delete=1), seen)
    assert lines(blocked, "blocked") == [("instance", "train-0", "blocked"), ("instance", "train-1", "blocked")]
    with pytest.raises(StackError, match="max_delete is 1 and 2 would be deleted.* Set max_delete to 2"):
        planning.refuse_blocked(blocked)
    allowed = planning.plan(intent(fewer, max_delete=2), seen)
    assert len(lines(allowed, "delete")) == 2
    planning.refuse_blocked(allowed)


def test_a_hole_is_filled_in_its_own_place():
    seen = carried_out(changed(pools=(dataclasses.replace(POOL, count=4),)))
    seen.found["instance"] = [found for found in seen.of("instance") if found.name != "train-1"]
    (one,) = (change for change in planning.plan(intent(changed(pools=(dataclasses.replace(POOL, count=4),))), seen) if change.acts)
    assert one.name == "train-1" and one.wish.state["zone"] == "us-east-1b"


@pytest.mark.parametrize(("prune", "limit", "action"), [(False, 9, "keep"), (True, 0, "blocked"), (True, 1, "delete")])
def test_what_is_not_declared_any_more(prune, limit, action):
    seen = carried_out()
    changes = planning.plan(intent(changed(buckets=(), identity=None), prune=prune, max_delete=limit), seen)
    assert lines([change for change in changes if change.kind == "bucket"]) == [("bucket", "data", action)]


def test_a_full_bucket_needs_force():
    seen = carried_out()
    seen.get("bucket", "data").facts["full"] = True
    assert [change.reason for change in planning.plan(intent(state="absent"), seen) if change.action == "blocked"] == [
        "bucket bucket-data holds objects; name it in force: [data] to delete them, all versions included"
    ]
    assert not lines(planning.plan(intent(state="absent", force=("data",)), seen), "blocked")


def test_absent_deletes_what_is_owned_and_nothing_else():
    seen = carried_out()
    seen.found["instance"].append(Found("instance", "i-9", "i-9", {}, {"mlinfra:stack": "vision"}, facts={"pool": "train", "slot": None}))
    changes = planning.plan(intent(Stack(SCOPE), state="absent"), seen)
    assert len(lines(changes, "delete")) == 13
    assert lines(changes, "foreign") == [("instance", "i-9", "foreign")]


def test_instances_that_ended_are_no_lines():
    seen = carried_out()
    seen.found["instance"].append(Found("instance", "train-7", "i-9", facts={"pool": "train", "slot": 7, "ended": True}))
    assert {change.action for change in planning.plan(intent(), seen)} == {"keep"}


def test_a_name_that_somebody_else_has():
    seen = empty()
    seen.found["role"] = [Found("role", "hosts", "vision-dev-hosts", {}, {}, facts={"path": "/"})]
    with pytest.raises(StackError, match="identity wants role vision-dev-hosts: one of that name is there"):
        planning.plan(intent(), seen)


def test_what_cannot_change_is_blocked_or_replaced():
    seen = carried_out()
    seen.get("vpc", "main").state["cidr"] = "10.1.0.0/16"
    seen.get("key_pair", "vision-dev").state["public_key"] = "ssh-ed25519 BBBB"
    found = {(change.kind, change.action): change.reason for change in planning.plan(intent(max_delete=1), seen) if change.action != "keep"}
    assert found[("vpc", "blocked")].startswith("cidr is 10.1.0.0/16 and cannot become 10.42.0.0/16")
    assert found[("key_pair", "replace")] == "public_key cannot change on what is there"


def test_a_network_that_is_referred_to_is_kept():
    existing = ExistingNetwork(Reference(("vpc-1",)), Reference(("subnet-1", "subnet-2")), Reference(("sg-1",)))
    stack = Stack(SCOPE, network=Network(existing=existing), pools=(POOL,))
    seen = empty()
    seen.found["vpc"] = [Found("vpc", "main", "vpc-1", {"cidr": "10.9.0.0/16"}, existing=True)]
    seen.found["subnet"] = [
        Found("subnet", f"subnet-{n}", f"subnet-{n}", {"vpc": "vpc-1", "zone": zone}, existing=True) for n, zone in enumerate(ZONES[:2], 1)
    ]
    seen.found["security_group"] = [Found("security_group", "sg-1", "sg-1", {"vpc": "vpc-1"}, existing=True)]
    changes = planning.plan(intent(stack), seen)
    assert lines(changes, "create") == [("instance", "train-0", "create"), ("instance", "train-1", "create")]
    assert {change.kind for change in changes if change.action == "keep"} == {"vpc", "subnet", "security_group"}
    seen.of("security_group")[0].state["vpc"] = "vpc-2"
    with pytest.raises(StackError, match="sg-1 is in vpc-2, not in vpc-1"):
        planning.plan(intent(stack), seen)


def test_the_first_type_that_is_offered_is_taken():
    seen = empty()
    seen.market = Market({"g5.xlarge": (), "g5.2xlarge": ("us-east-1b",)}, {})
    hosts = [change.wish.state for change in planning.plan(intent(), seen) if change.kind == "instance"]
    assert {(host["instance_type"], host["zone"]) for host in hosts} == {("g5.2xlarge", "us-east-1b")}
    seen.market = Market({"g5.xlarge": ("us-east-1f",), "g5.2xlarge": ()}, {})
    with pytest.raises(StackError, match="pools.train wants g5.xlarge or g5.2xlarge: not offered in us-east-1a, us-east-1b.*us-east-1f"):
        planning.plan(intent(), seen)


def test_together_means_one_zone():
    seen = empty()
    stack = changed(pools=(dataclasses.replace(POOL, spread=False, zones=("us-east-1b",)),))
    assert {one.wish.state["zone"] for one in planning.plan(intent(stack), seen) if one.kind == "instance"} == {"us-east-1b"}


def _id(stack: Stack, seen: Observed, **control) -> str:
    return planning.plan_id(intent(stack, **control), seen, planning.plan(intent(stack, **control), seen))


def test_the_plan_id_is_stable():
    assert _id(STACK, empty()) == _id(STACK, empty(), check_mode=True, lock_timeout=5, on_failure="rollback")
    other = empty()
    other.market = Market({"g5.xlarge": (), "g5.2xlarge": ZONES}, {})
    assert _id(STACK, empty()) == _id(STACK, other), "the offer that is taken is no part of it"


def test_the_plan_id_changes_with_wish_image_and_actions():
    seen = empty()
    other_image = empty()
    other_image.images = {"train": ImageFacts("ami-2", root_gib=8)}
    ids = {
        _id(STACK, seen),
        _id(STACK, other_image),
        _id(STACK, carried_out()),
        _id(changed(buckets=(), identity=None), seen),
        _id(changed(key=Key("vision-dev", "ssh-ed25519 BBBB")), seen),
        _id(STACK, carried_out(), state="absent"),
    }
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("wished", "there", "action"),
    [
        ("alias/ml", "arn:aws:kms:us-east-1:123456789012:key/1-2", "keep"),
        ("1-2", "arn:aws:kms:us-east-1:123456789012:key/1-2", "keep"),
        ("arn:aws:kms:us-east-1:123456789012:key/1-2", "arn:aws:kms:us-east-1:123456789012:key/1-2", "keep"),
        ("1-3", "arn:aws:kms:us-east-1:123456789012:key/1-2", "blocked"),
        ("alias/ml", None, "blocked"),
    ],
)
def test_ecr_answers_with_the_arn_of_a_key_whatever_it_was_given(wished, there, action):
    stack = changed(repositories=(Repository("train", "vision-dev/train", kms_key=wished),))
    seen = carried_out(stack)
    seen.get("repository", "train").state["encryption"] = there
    assert [change.action for change in planning.plan(intent(stack), seen) if change.kind == "repository"] == [action]


def test_max_delete_counts_what_it_holds_back_and_nothing_else():
    reasons = ["max_delete is 0 and 2 would be deleted", "max_delete is 0 and 2 would be deleted", "it is full"]
    blocked = [Change("bucket", f"b{number}", "blocked", reason, id="x") for number, reason in enumerate(reasons)]
    with pytest.raises(StackError, match="Set max_delete to 2 if"):
        planning.refuse_blocked(blocked)


def test_a_role_of_the_namesake_in_another_region_is_not_to_be_removed():
    role = Found("role", "hosts", "vision-dev-hosts", tags={"mlinfra:region": "eu-west-1"})
    abroad = planning._way_past(role, "us-east-1")
    assert "eu-west-1" in abroad and "existing_instance_profile" in abroad and "remove" not in abroad
    assert planning._way_past(role, "eu-west-1") == "Refer to it as existing, rename it, or remove it"
