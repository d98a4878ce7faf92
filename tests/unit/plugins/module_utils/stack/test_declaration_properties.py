# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any declaration, however malformed, is a plan or one clear error: never a traceback, never a call."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import ARGUMENTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import ImageFacts, Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

#: Every section with nearly every option, so that a mistake can be put into each place.
FULL: dict[str, Any] = {
    "name": "vision",
    "environment": "dev",
    "account_id": "123456789012",
    "region": "us-east-1",
    "tags": {"cost-center": "ml"},
    "network": {
        "cidr": "10.42.0.0/16",
        "zone_count": 2,
        "private": True,
        "nat": "one",
        "endpoints": ["s3", "ssm"],
        "ingress": [{"from_port": 5000, "to_port": 5000, "protocol": "tcp", "cidrs": ["10.0.0.0/8"], "description": "mlflow"}],
        "access": {"via": "bastion", "bastion_pool": "way", "cidrs": ["192.0.2.0/24"]},
    },
    "key": {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA nobody"},
    "buckets": [{"name": "data", "versioning": True, "encryption": "kms", "lifecycle": [{"prefix": "tmp/", "expire_days": 7}]}],
    "repositories": [{"name": "train", "keep_last": 5, "immutable_tags": True}],
    "identity": {"read": ["data"], "write": ["data"], "pull": ["train"], "managed_policies": ["arn:aws:iam::aws:policy/Some"]},
    "pools": [
        {
            "name": "train",
            "count": 3,
            "min": 1,
            "gpu": {"models": ["a10g"], "count": 1},
            "market": ["spot", "on_demand"],
            "max_hourly_usd": 5,
            "zones": ["us-east-1a"],
            "image": {"id": "ami-0123456789abcdef0"},
            "disk": {"gib": 100, "iops": 4000, "throughput": 250},
            "tags": {"team": "cv"},
        },
        {"name": "way", "instance_types": ["t3.large"], "image": {"ssm": "/aws/service/debian/release/12/latest/amd64"}},
    ],
    "state": "present",
    "prune": True,
    "max_delete": 1,
    "force": ["data"],
    "lock_timeout": 5,
    "wait_timeout": 60,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in the document, inner ones too."""
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


def names(spec: dict[str, Any]) -> set[str]:
    """Every option of the argument spec, at every depth: a mistake can bring in what FULL leaves out."""
    return set(spec).union(*[names(option.get("options") or {}) for option in spec.values()])


ODD_TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "\x00", "true", "no", "-1", "1e400", "NaN", "inf", "{{ x }}", "[1", "{}", "[]", "null"]),
    st.sampled_from(["0.0.0.0/0", "::/0", "arn:", "x" * 300, "ü", "٣", "\ud800"]),
)
OPTIONS = st.sampled_from(sorted(names(ARGUMENTS)))
ODD_NUMBER = st.one_of(
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30, 10**400, 1e308, -0.0, 0.1, 65535, 65536, 10**9]),
)
ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), ODD_NUMBER, ODD_TEXT, st.just(b"bytes"), st.just(object())),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(ODD_TEXT, OPTIONS, st.integers()), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def spoiled(draw: Any) -> dict[str, Any]:
    """FULL with one to three mistakes: a value replaced, a key removed, added or doubled."""
    document = copy.deepcopy(FULL)
    for _time in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        parent: Any = document
        for step in path[:-1]:
            parent = parent[step]
        how = draw(st.sampled_from(["replace", "replace", "remove", "add", "double"]))
        if how == "replace":
            parent[path[-1]] = draw(ODD)
        elif how == "remove":
            del parent[path[-1]]
        elif how == "add" and isinstance(parent, dict):
            parent[draw(st.one_of(ODD_TEXT, OPTIONS))] = draw(ODD)
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
    return document


class Untouchable:
    """Stands for the clients: whoever reaches for one has made a call."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"clients.{name} was reached for")


def account() -> Observed:
    """An empty account in which everything is offered."""
    seen = Observed("123456789012", "aws", "us-east-1", {kind.name: [] for kind in KINDS}, zones=ZONES)
    types = ("g5.xlarge", "g5.2xlarge", "t3.large")
    seen.market = Market(dict.fromkeys(types, ZONES), {(name, "on_demand", None): 1.0 for name in types})
    return seen


def plan_or_error(document: dict[str, Any]) -> list[str]:
    """The sentences of the error; none when there is a plan."""
    try:
        stack, control = parse(document, True)
    except DocumentError as error:
        sentences = [problem.sentence for problem in error.problems]
        assert error.message and json.dumps([problem.public() for problem in error.problems])
        return sentences
    intent, seen = Intent(stack, control), account()
    seen.images = {pool.name: ImageFacts("ami-0123456789abcdef0", root_gib=8) for pool in stack.pools or ()}
    try:
        changes = planning.plan(intent, seen)
    except StackError as error:
        return [error.message]
    json.dumps([change.public() for change in changes])  # what the module returns
    planning.plan_id(intent, seen, changes)
    return []


def check(document: dict[str, Any]) -> None:
    for sentence in plan_or_error(document):
        assert sentence.strip().endswith((".", "?", ":")), sentence
        assert "Traceback" not in sentence and " object at 0x" not in sentence.replace("<object object at 0x", ""), sentence
        assert len(sentence) < 2000, sentence


def test_the_whole_declaration_has_a_plan():
    assert plan_or_error(copy.deepcopy(FULL)) == []


@MANY
@given(spoiled())
@example({**FULL, "max_delete": float("inf")})
@example({**FULL, "pools": [{**FULL["pools"][0], "count": 10**400}]})
@example({**FULL, 7: "a key that is no text"})
def test_a_spoiled_declaration_is_a_plan_or_one_clear_error(document):
    check(document)


@settings(MANY, max_examples=100)
@given(st.dictionaries(st.one_of(st.sampled_from(sorted({*ARGUMENTS, "region"})), ODD_TEXT), ODD, max_size=6))
def test_anything_at_all_is_one_clear_error(document):
    check({"name": "vision", "environment": "dev", "account_id": "123456789012", "region": "us-east-1", **document})


@pytest.mark.parametrize("confirm", [None, "", "vision", "vision-dev ", "VISION-DEV"])
def test_a_removal_that_is_not_confirmed_reaches_for_no_client(confirm):
    stack, _control = parse(copy.deepcopy(FULL))
    with pytest.raises(StackError, match="Set confirm: vision-dev"):
        engine.reconcile(stack, Control(state="absent", confirm=confirm), Untouchable())
