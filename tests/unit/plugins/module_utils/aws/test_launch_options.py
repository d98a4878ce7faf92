# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of a launch that wants more than a type, and the placement group in a plan."""

from __future__ import annotations

import dataclasses

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.apply import ready, units
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, ImageFacts, Intent, Observed, Ref
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Image, Key, Network, Pool, Scope, Stack

SCOPE = Scope("123456789012", "us-east-1", "vision", "dev", iam_path="/mlinfra/vision/dev/")
POOL = Pool("train", 2, ("p4d.24xlarge",), Image(id="ami-1"), placement="cluster", efa=True)
STACK = Stack(SCOPE, network=Network(cidr="10.42.0.0/16", zone_count=1, private=True), key=Key("k", existing=True), pools=(POOL,))
GROUP = "vision-dev-train"


def _seen() -> Observed:
    seen = Observed("123456789012", "aws", "us-east-1", {kind.name: [] for kind in KINDS}, zones=("us-east-1a",))
    seen.found["key_pair"] = [Found("key_pair", "k", "k", existing=True)]
    seen.images = {"train": ImageFacts("ami-1", root_gib=8)}
    seen.market = Market({"p4d.24xlarge": ("us-east-1a",)}, {})
    seen.type_facts = {"p4d.24xlarge": type_facts.of(INSTANCE_TYPES["p4d.24xlarge"])}
    return seen


def _changes(seen: Observed, pool: Pool = POOL, **control):
    return planning.plan(Intent(dataclasses.replace(STACK, pools=(pool,)), Control(**control)), seen)


def _inhabited() -> Observed:
    seen = _seen()
    seen.found["placement_group"] = [Found("placement_group", GROUP, GROUP, {"strategy": "cluster"}, {}, owned=True)]
    facts = {"pool": "train", "slot": 0, "slots": [0], "status": "running", "placement_group": GROUP, "efa": True, "addresses": 1}
    facts.update(devices=[], kept_volumes=[])
    state = {"instance_type": "p4d.24xlarge", "image_id": "ami-1", "zone": "us-east-1a"}
    seen.found["instance"] = [Found("instance", "train-0", "i-1", state, {}, owned=True, facts=facts)]
    return seen


def test_the_request_has_the_group_and_an_interface_on_each_card():
    changes = [change for change in _changes(_seen()) if change.kind == "instance"]
    offer = Offer("p4d.24xlarge", "us-east-1a", "on_demand")
    params = launch.request(changes, offer, 2, lambda ref: f"id of {ref}")
    assert params["Placement"] == {"GroupName": f"id of placement_group/{GROUP}"} and params["MinCount"] == params["MaxCount"] == 2
    assert [(one["NetworkCardIndex"], one["InterfaceType"]) for one in params["NetworkInterfaces"]] == [
        (0, "efa"),
        (1, "efa-only"),
        (2, "efa-only"),
        (3, "efa-only"),
    ]
    assert {tuple(one["Groups"]) for one in params["NetworkInterfaces"]} == {("id of security_group/hosts",)}


def test_the_request_of_a_plain_pool_says_nothing_of_all_that():
    plain = dataclasses.replace(POOL, placement="none", efa=False)
    changes = [change for change in _changes(_seen(), plain) if change.kind == "instance"]
    params = launch.request(changes, Offer("p4d.24xlarge", "us-east-1a", "on_demand"), 1, lambda ref: ref.name)
    assert "Placement" not in params and len(params["NetworkInterfaces"]) == 1
    assert not {"NetworkCardIndex", "InterfaceType"} & set(params["NetworkInterfaces"][0])


def test_the_group_comes_before_its_instances_and_goes_after_them():
    made = units(_changes(_seen()))
    launches = next(unit for unit in made if unit.kind.name == "instance")
    group = next(unit for unit in made if unit.kind.name == "placement_group")
    assert ready(group, made) and not ready(launches, [group, launches]) and ready(launches, [launches])
    gone = units(planning.plan(Intent(Stack(SCOPE), Control(state="absent")), _inhabited()))
    assert [unit.kind.name for unit in gone] == ["placement_group", "instance"]
    assert not ready(gone[0], gone) and ready(gone[1], gone)


@pytest.mark.parametrize(
    ("lived_in", "prune", "action"),
    [(True, True, "keep"), (True, False, "keep"), (False, False, "delete"), (False, True, "delete")],
)
def test_a_group_that_no_pool_wants(lived_in, prune, action):
    seen = _inhabited()
    if not lived_in:
        seen.of("instance")[0].facts["placement_group"] = ""
    plain = dataclasses.replace(POOL, placement="none", count=1)
    (line,) = (one for one in _changes(seen, plain, prune=prune) if one.kind == "placement_group")
    assert line.action == action
    assert ("stays while train-0 is in it" in line.reason) is lived_in


def test_a_group_of_another_strategy_is_blocked_and_somebody_elses_is_in_the_way():
    seen = _inhabited()
    seen.get("placement_group", GROUP).state["strategy"] = "spread"
    (line,) = (one for one in _changes(seen) if one.kind == "placement_group")
    assert line.action == "blocked" and "strategy is spread and cannot become cluster" in line.reason
    seen.of("placement_group")[0].owned = False
    with pytest.raises(StackError, match=f"pools.train.placement wants placement_group {GROUP}: one of that name is there"):
        _changes(seen)


def test_the_plan_says_what_instance_store_there_will_be():
    made = [change for change in _changes(_seen()) if change.kind == "instance"]
    assert {change.after["instance_store_gib"] for change in made} == {7450}


def test_the_hosts_group_gets_its_rule_only_where_a_pool_has_efa():
    for pool, told in ((POOL, True), (dataclasses.replace(POOL, efa=False), None)):
        group = next(change for change in _changes(_seen(), pool) if Ref(change.kind, change.name) == Ref("security_group", "hosts"))
        assert group.after.get("efa") is told
