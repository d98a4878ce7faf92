# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a pool's launches may go, how many of them it needs, and what ends before them."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import placing
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Limits
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Access, Control, Image, Network, Pool, Scope, Stack

A, B = "us-east-1a", "us-east-1b"
POOL = Pool("train", 4, ("g5.xlarge",), Image(id="ami-1"), market=("on_demand", "spot"))
GANG = dataclasses.replace(POOL, spread=False)
G = "L-DB2E81BA"
UNREAD = Limits()


def host(slot, zone=A, **facts):
    told = {"pool": "train", "slot": slot, "slots": [slot], "status": "running", "market": "on_demand", "vcpus": 4, **facts}
    return Found("instance", f"train-{slot}", f"i-{slot}", {"instance_type": "g5.xlarge", "zone": zone}, {}, True, facts=told)


def seen(*hosts, zones=(A, B), limits=UNREAD):
    observed = Observed("123456789012", "aws", "us-east-1", {kind.name: [] for kind in KINDS}, zones=(A, B), limits=limits)
    observed.found["instance"] = list(hosts)
    observed.market = Market({"g5.xlarge": zones}, {("g5.xlarge", "spot", zone): 0.4 for zone in zones})
    return observed


def choose(pool, there, count, **more):
    network = Network(cidr="10.42.0.0/16", zone_count=2, access=Access(cidrs=("192.0.2.0/24",)))
    stack = Stack(Scope("123456789012", "us-east-1", "vision", "dev"), network=network, pools=(pool,))
    return placing.choose(pool, Intent(stack, Control()), there, count, **more)


@pytest.mark.parametrize(
    ("least", "slots", "count", "needed"),
    [
        (None, (), 4, 4),
        (None, (0, 3), 2, 2),
        (3, (), 4, 3),
        (3, (0, 3), 2, 1),  # slots 1 and 2 are holes: what is there counts, wherever it is
        (3, (1, 2, 7), 1, 0),
        (1, (5,), 3, 0),
        (3, (0,), 1, 1),  # a slot stays empty, as its lease is over: no more than is launched
    ],
)
def test_how_many_of_a_launch_are_needed(least, slots, count, needed):
    pool = dataclasses.replace(GANG, min=least)
    need = placing.need(pool, seen(*[host(slot) for slot in slots]), (), count)
    assert (need.count, need.least, need.at_once) == (count, needed, max(1, needed))


def test_an_adopted_one_is_there_and_what_is_replaced_is_not():
    pool = dataclasses.replace(GANG, count=3, adopt=("i-9",))
    there = seen(host(0), Found("instance", "i-9", "i-9", facts={"adopt": "train"}))
    assert placing.need(pool, there, (), 1).least == 1 and placing.need(dataclasses.replace(pool, min=2), there, (), 1).least == 0
    assert placing.need(pool, there, (), 3, beside=0).least == 3


def test_a_growing_gang_stays_where_it_is():
    assert {one.zone for one in choose(GANG, seen(host(0, B)), 3).offers} == {B}
    assert {one.zone for one in choose(POOL, seen(host(0, B)), 3).offers} == {A, B}
    with pytest.raises(StackError) as caught:
        choose(GANG, seen(host(0, B), zones=(A,)), 3)
    why = "the pool's hosts are in us-east-1b, and all have to be in one zone"
    assert f"pools.train has no offer (g5.xlarge us-east-1a spot: {why}; g5.xlarge us-east-1a on_demand: {why})" in caught.value.message
    assert "Allow a market, type or price that us-east-1b has, or let the pool spread over zones" in caught.value.message
    assert {one["reason"] for one in caught.value.details["rejected"]} == {why}


def test_a_gang_that_is_replaced_whole_may_move():
    assert {one.zone for one in choose(GANG, seen(host(0, B), zones=(A,)), 4, beside=[]).offers} == {A}


def limits(used, allowed=8):
    return Limits(frozenset(["train"]), {"g5.xlarge": TypeFacts("g5.xlarge", vcpus=4)}, {G: Allowed(allowed)}, {G: used})


@pytest.mark.parametrize(
    ("pool", "facts", "markets"),
    [
        (POOL, {}, {"on_demand", "spot"}),
        (POOL, {"status": "stopped"}, {"spot"}),  # counts against no quota, so its end frees nothing
        (POOL, {"market": "reservation"}, {"spot"}),  # the reservation counts, whether it is used or not
        (POOL, {"market": "spot"}, {"spot"}),  # another quota
        (POOL, {"vcpus": 0}, {"spot"}),  # nobody knows
        (GANG, {}, {"on_demand", "spot"}),
    ],
)
def test_what_ends_before_the_launch_needs_no_quota(pool, facts, markets):
    there = seen(host(0, **facts), limits=limits(8))
    found = choose(pool, there, 1, beside=[], ending=[there.of("instance")[0]])
    assert {one.market for one in found.offers} == markets
    assert {one.market for one in choose(pool, there, 1, beside=[]).offers} == {"spot"}


def test_a_gang_has_to_fit_whole_into_what_its_own_end_frees():
    pool = dataclasses.replace(GANG, count=3)
    hosts = [host(0), host(1)]
    fits, tight = seen(*hosts, limits=limits(8, 12)), seen(*hosts, limits=limits(8, 11))
    assert {one.market for one in choose(pool, fits, 3, beside=[], ending=hosts).offers} == {"on_demand", "spot"}
    assert {one.market for one in choose(pool, tight, 3, beside=[], ending=hosts).offers} == {"spot"}
