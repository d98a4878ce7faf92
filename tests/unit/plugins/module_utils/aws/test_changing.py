# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What on_change makes of an instance that the declaration has left behind."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import changing
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, ImageFacts, Observed, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Image, Pool

POOL = Pool("train", 1, ("t4g.large", "g6.xlarge", "g5.2xlarge"), Image(ssm="/image"), on_change="in_place")


def host(slot=0, kind="g5.xlarge", image="ami-1", tags=None, **facts):
    told = {"pool": "train", "slot": slot, "status": "running", "market": "on_demand", "architecture": "x86_64", "root": "ebs", **facts}
    state = {"instance_type": kind, "image_id": image, "zone": "us-east-1a"}
    return Found("instance", f"train-{slot}", f"i-{slot}", state, tags or {}, True, facts=told)


def seen(*hosts, store=0):
    zones = dict.fromkeys(POOL.instance_types, ("us-east-1a",))
    prices = {("g6.xlarge", "on_demand", None): 0.8, ("g5.2xlarge", "on_demand", None): 1.2, ("t4g.large", "on_demand", None): 0.1}
    facts = {
        name: TypeFacts(name, architectures=("x86_64",), instance_store_gib=store) for name in ("g5.xlarge", "g6.xlarge", "g5.2xlarge")
    }
    facts["t4g.large"] = TypeFacts("t4g.large", architectures=("arm64",))
    observed = Observed("1", "aws", "us-east-1", {"instance": list(hosts)}, images={"train": ImageFacts("ami-1")})
    observed.market, observed.type_facts = Market(zones, prices), facts
    return observed


def settled(found, pool=POOL, force=(), store=0, action="keep"):
    wish = Wish("instance", found.name, {}, {}, {"pool": pool, "slot": found.facts["slot"]})
    change = Change("instance", found.name, action, "", {}, {}, found.id, wish, found)
    return changing.settle(change, force, seen(found, store=store))


def test_the_first_type_that_fits():
    change = settled(host())
    assert (change.action, change.fields, change.after) == ("update", ("instance_type",), {"instance_type": "g6.xlarge"})
    assert change.wish.make["targets"] == ("g6.xlarge", "g5.2xlarge")
    assert settled(host(architecture="arm64")).wish.make["targets"] == ("t4g.large",)
    assert settled(host(), dataclasses.replace(POOL, exclude_types=("g6.xlarge",))).after == {"instance_type": "g5.2xlarge"}


@pytest.mark.parametrize(
    ("found", "more", "store", "said"),
    [
        (host(market="spot"), {}, 0, "EC2 does not stop an instance of a one-time spot request"),
        (host(market="reservation"), {}, 0, "it runs in a reservation, which is for its type"),
        (host(market="capacity_block"), {}, 0, "it runs in a capacity block, which is for its type"),
        (host(root="instance-store"), {}, 0, "its root volume is in instance store"),
        (host(), {}, 232, "it has 232 GiB of instance store, and what is there is lost with a stop. Set data_loss: accepted"),
        (host(kind="x9.large"), {}, 0, "it has perhaps instance store"),
        (host(), {"max_hourly_usd": 0.01}, 0, "none of these is on offer in us-east-1a, On-Demand, for x86_64"),
    ],
)
def test_what_cannot_change_in_place_is_blocked(found, more, store, said):
    change = settled(found, dataclasses.replace(POOL, **more), store=store)
    assert change.action == "blocked" and said in change.reason and change.reason.startswith("instance_type is ")


def test_no_data_is_lost_that_is_accepted_or_lost_already():
    assert settled(host(), dataclasses.replace(POOL, data_loss="accepted"), store=232).action == "update"
    assert settled(host(status="stopped"), store=232).action == "update"


def test_only_its_own_policy_counts():
    old = host(image="ami-0", kind="g6.xlarge")
    assert settled(old, dataclasses.replace(POOL, on_change="keep")).action == "keep"
    assert settled(old, dataclasses.replace(POOL, on_change="refuse")).action == "blocked"
    assert settled(host(kind="g6.xlarge"), dataclasses.replace(POOL, on_change="refuse")).action == "keep"
    assert settled(old).action == "keep" and "only the type changes in place" in settled(old).reason


def test_what_an_earlier_run_did_not_finish():
    change = settled(host(kind="g6.xlarge", status="stopped", tags={"mlinfra:changing": "g6.xlarge"}))
    assert change.action == "update" and change.wish.make["targets"] == ()
    other = settled(host(status="stopped", tags={"mlinfra:changing": "g6.xlarge"}))
    assert other.wish.make["targets"] and "it is stopped and started" in other.reason


@pytest.mark.parametrize(("spread", "slots"), [(True, [1]), (False, [0, 1, 2])])
def test_who_is_replaced(spread, slots):
    pool = dataclasses.replace(POOL, count=3, on_change="replace", spread=spread)
    hosts = [host(0, "g6.xlarge"), host(1, "g6.xlarge", "ami-0"), host(2, "g6.xlarge")]
    assert sorted(changing.replaced(pool, (), seen(*hosts))) == slots
    assert changing.replaced(dataclasses.replace(pool, adopt=("i-1",)), (), seen(*hosts)) == {}
    assert changing.replaced(dataclasses.replace(pool, count=2), (), seen(*hosts)) == {}, "the old one goes, and no other is touched"


def test_nothing_is_compared_that_nothing_hangs_on():
    keep = dataclasses.replace(POOL, on_change="keep")
    assert not changing.compared(keep, (), seen(host())) and changing.compared(keep, (), seen(host(), host(1)))
    assert changing.compared(POOL, (), seen(host())) and not changing.compared(POOL, (), seen())
    assert not changing.compared(dataclasses.replace(keep, count=0), (), seen(host())), "all go, whatever they are"
