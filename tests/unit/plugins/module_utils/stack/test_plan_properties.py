# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every declaration over every state of an account: a plan or one clear error, that converges, in an order that works."""

from __future__ import annotations

import copy
import dataclasses
import random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import BY_NAME, KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, ImageFacts, Intent, Observed, Ref, resolve

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA nobody"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TYPES = ("g5.xlarge", "g6.xlarge", "t3.large")
FAST = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

POOLS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["train", "serve"]),
        "count": st.integers(0, 5),
        "instance_types": st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        "image": st.just({"id": "ami-0123456789abcdef0"}),
        "spread": st.booleans(),
        "market": st.lists(st.sampled_from(["spot", "on_demand", "reservation"]), min_size=1, max_size=3, unique=True),
    },
    optional={
        "zones": st.lists(st.sampled_from([*ZONES, "us-east-1f"]), min_size=1, max_size=2, unique=True),
        "min": st.integers(0, 5),
        "on_change": st.sampled_from(["keep", "refuse", "in_place", "replace"]),
        "max_hourly_usd": st.sampled_from([0.01, 0.9, 100.0]),
        "tags": st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"])),
    },
)
NETWORKS = st.fixed_dictionaries(
    {
        "cidr": st.sampled_from(["10.42.0.0/16", "10.43.0.0/20"]),
        "zone_count": st.integers(1, 3),
        "private": st.booleans(),
        "nat": st.sampled_from(["none", "one", "per_zone"]),
        "endpoints": st.lists(st.sampled_from(["s3", "ecr", "ssm"]), max_size=3, unique=True),
        "access": st.just({"cidrs": ["192.0.2.0/24"]}),
    }
)
DECLARATIONS = st.fixed_dictionaries(
    {"network": NETWORKS, "key": st.just({"public_key": KEY}), "prune": st.booleans(), "max_delete": st.sampled_from([0, 100])},
    optional={
        "pools": st.lists(POOLS, max_size=2),
        "buckets": st.lists(st.sampled_from([{"name": "data"}, {"name": "models", "versioning": True}]), max_size=2, unique_by=str),
        "repositories": st.just([{"name": "train"}]),
        "identity": st.just({}),
        "tags": st.just({"cost-center": "ml"}),
    },
)


def intent_of(declaration: dict[str, Any], **control: Any) -> Intent:
    """:raises DocumentError: it is none."""
    scope = {"name": "vision", "environment": "dev", "account_id": "123456789012", "region": "us-east-1"}
    stack, controls = parse({**scope, **copy.deepcopy(declaration), **control})
    return Intent(stack, controls)


def account() -> Observed:
    seen = Observed("123456789012", "aws", "us-east-1", {kind.name: [] for kind in KINDS}, zones=ZONES)
    seen.images = {name: ImageFacts("ami-0123456789abcdef0", root_gib=8) for name in ("train", "serve")}
    prices = {(name, "on_demand", None): price for name, price in zip(TYPES, (1.006, 0.8048, 0.0832))}
    prices.update({(name, "spot", zone): 0.3 for name in TYPES[:2] for zone in ZONES})
    seen.market = Market(dict.fromkeys(TYPES, ZONES), prices)
    seen.type_facts = {name: TypeFacts(name, architectures=("x86_64",)) for name in TYPES}
    return seen


def applied(intent: Intent, seen: Observed) -> Observed:
    """What would be found after the plan. Raises StackError for one that is blocked."""
    changes = planning.plan(intent, seen)
    planning.refuse_blocked(changes)
    after = dataclasses.replace(seen, found={kind: [copy.deepcopy(one) for one in found] for kind, found in seen.found.items()})
    ids = {Ref(kind, one.name): one.id for kind, listed in seen.found.items() for one in listed if one.owned}
    ids.update({Ref(one.kind, one.name): f"{one.kind}-{one.name}" for one in changes if one.action in ("create", "replace")})
    for change in changes:
        listed = after.found[change.kind]
        if change.action in ("delete", "replace"):
            listed[:] = [one for one in listed if one.id != change.id]
        if change.action in ("create", "replace"):
            listed.append(_made(change, ids))
        if change.action in ("update", "adopt"):
            found = next(one for one in listed if one.id == change.id)
            wanted = resolve(change.wish.state, ids.get)
            found.state.update({word: wanted[word] for word in change.fields})
            found.tags.update(change.tags)
        if change.action == "adopt":
            found.name, found.owned = change.name, True
            found.facts.update(pool=change.wish.make["pool"].name, slot=change.wish.make["slot"])
            found.facts.pop("adopt")
    return after


def _made(change: Any, ids: dict[Ref, str]) -> Found:
    made = Found(change.kind, change.name, ids[Ref(change.kind, change.name)], resolve(change.wish.state, ids.get), dict(change.wish.tags))
    made.owned = True
    if change.kind == "instance":
        make = change.wish.make
        made.facts = {"pool": make["pool"].name, "slot": make["slot"], "slots": [make["slot"]], "status": "running", "private_ip": None}
    if change.kind == "repository":
        made.facts = {"uri": "x"}
    return made


def history(data: st.DataObject) -> Observed:
    """An account after up to two older declarations, with some of it lost since."""
    seen = account()
    for older in data.draw(st.lists(DECLARATIONS, max_size=2)):
        try:
            seen = applied(intent_of(older, prune=True, max_delete=1000), seen)
        except (DocumentError, StackError):
            continue
    for kind in data.draw(st.lists(st.sampled_from(["instance", "bucket", "role", "subnet", "security_group", "key_pair"]), max_size=2)):
        del seen.found[kind][:1]
    return seen


def planned(declaration: dict[str, Any], seen: Observed, **control: Any) -> tuple[Intent, list[Any]]:
    """The plan; a clear error is as good, and ends the example."""
    try:
        intent = intent_of(declaration, **control)
        return intent, planning.plan(intent, seen)
    except (DocumentError, StackError) as error:
        assert error.message.strip().endswith((".", "?")) and "Traceback" not in error.message
        assume(False)
        raise


@FAST
@given(DECLARATIONS, st.data())
def test_the_plan_of_an_applied_plan_is_empty(declaration, data):
    seen = history(data)
    intent, _changes = planned(declaration, seen)
    try:
        after = applied(intent, seen)
    except StackError as error:
        assert "blocked" in error.message
        return
    again = planning.plan(intent, after)
    assert [(one.kind, one.name, one.action, one.reason) for one in again if one.acts or one.action == "blocked"] == []


@FAST
@given(DECLARATIONS, st.data())
def test_everything_is_there_before_it_is_used_and_goes_after_its_users(declaration, data):
    seen = history(data)
    _intent, changes = planned(declaration, seen, max_delete=1000)
    there = {Ref(kind, one.name) for kind, listed in seen.found.items() for one in listed if one.owned}
    gone: set[str] = set()
    for change in changes:
        if change.action in ("create", "update", "replace"):
            assert not gone, "nothing is made after the first deletion"
            refs = _refs([change.wish.state, change.wish.make])
            assert refs <= there | {Ref(change.kind, change.name)}, f"{change.kind} {change.name} needs {refs - there}"
            there.add(Ref(change.kind, change.name))
        elif change.action == "delete":
            assert not gone & set(BY_NAME[change.kind].needs), f"{change.kind} {change.name} goes after what it needs"
            gone.add(change.kind)


def _refs(value: Any) -> set[Ref]:
    if isinstance(value, Ref):
        return {value}
    if isinstance(value, dict):
        return set().union(*map(_refs, value.values())) if value else set()
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return set().union(*map(_refs, value)) if value else set()
    return set()


@FAST
@given(DECLARATIONS, st.data(), st.randoms(use_true_random=False))
def test_the_plans_id_is_stable_and_knows_every_wish(declaration, data, shuffle: random.Random):
    seen = history(data)
    intent, changes = planned(declaration, seen)
    name = planning.plan_id(intent, seen, changes)
    other = dataclasses.replace(seen, found={kind: list(found) for kind, found in seen.found.items()})
    for listed in other.found.values():
        shuffle.shuffle(listed)
    same, again = planned(declaration, other, lock_timeout=7, on_failure="rollback", wait_timeout=9)
    assert planning.plan_id(same, other, again) == name
    wish = {**declaration, "tags": {"cost-center": "other"}}
    assert planning.plan_id(*_with(wish, seen)) != name


def _with(declaration: dict[str, Any], seen: Observed) -> tuple[Intent, Observed, list[Any]]:
    intent, changes = planned(declaration, seen)
    return intent, seen, changes


@FAST
@given(DECLARATIONS, st.data())
def test_a_removal_takes_all_that_is_owned(declaration, data):
    seen = history(data)
    scope = {"state": "absent", "confirm": "vision-dev"}
    _intent, changes = planned({}, seen, **scope)
    owned = {(kind, one.id) for kind, listed in seen.found.items() for one in listed if one.owned}
    assert {(one.kind, one.id) for one in changes if one.action == "delete"} == owned
