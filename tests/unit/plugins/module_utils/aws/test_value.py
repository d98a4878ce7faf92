# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a pool gives up its instances, and which slots it fills."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import placing, value
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, ImageFacts, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Image, Pool

POOL = Pool("train", 1, ("g5.xlarge",), Image(ssm="/image"))


def host(slot, kind="g5.xlarge", image="ami-1", tags=None, **facts):
    told = {"pool": "train", "slot": slot, "status": "running", "market": "on_demand", **facts}
    state = {"instance_type": kind, "image_id": image, "zone": "us-east-1a"}
    return Found("instance", f"train-{slot}", f"i-{slot}", state, tags or {}, True, facts=told)


def seen(*hosts):
    return Observed("1", "aws", "us-east-1", {"instance": list(hosts)}, images={"train": ImageFacts("ami-1")})


def order(*hosts, pool=POOL, force=()):
    """The slots in the order in which they go."""
    return [found.facts["slot"] for found in value.leaving(dataclasses.replace(pool, count=0), force, seen(*hosts))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"status": "stopped"}, {"image": "ami-0"}),
        ({"status": "stopping"}, {"status": "pending"}),
        ({"image": "ami-0"}, {"market": "spot"}),
        ({"kind": "g4dn.xlarge"}, {"market": "spot"}),
        ({"market": "spot"}, {"tags": {"mlinfra:expires": "2020-01-01T00:00:00Z"}}),
        ({"market": "on_demand"}, {"market": "reservation"}),
        ({"market": "on_demand"}, {"market": "capacity_block"}),
        ({"tags": {"mlinfra:expires": "2031-01-01T00:00:00+02:00"}}, {"tags": {"mlinfra:expires": "2031-01-01T00:00:00Z"}}),
        ({"tags": {"mlinfra:expires": "2031-01-01T00:00:00"}}, {"tags": {"mlinfra:expires": "soon"}}),
        ({"image": "ami-1"}, {"protected": True, "status": "stopped"}),
        ({"market": "reservation"}, {"tags": {"mlinfra:protect": "jane"}, "market": "spot"}),
        ({"tags": {"mlinfra:protect": " FALSE "}, "market": "spot"}, {"image": "ami-1"}),
    ],
)
def test_the_first_goes_before_the_second_whatever_their_slots(first, second):
    assert order(host(1, **first), host(2, **second)) == [1, 2] and order(host(2, **first), host(1, **second)) == [2, 1]


def test_of_equal_ones_the_higher_slot_goes():
    assert order(host(0), host(3), host(10)) == [10, 3, 0]


def test_what_adopt_names_goes_last_and_force_lifts_a_protection():
    named = dataclasses.replace(POOL, adopt=("i-2",))
    assert order(host(0, protected=True), host(1), host(2, status="stopped"), pool=named) == [1, 0, 2]
    assert (
        order(host(0), host(1, protected=True), force=("train",)) == [1, 0] == order(host(0), host(1, protected=True), force=("train-1",))
    )
    assert order(host(0), host(1, protected=True), force=("serve", "train-0")) == [0, 1]


def test_no_more_than_are_too_many():
    pool = dataclasses.replace(POOL, count=2)
    there = seen(host(0), host(5), host(7))
    assert [found.name for found in value.leaving(pool, (), there)] == ["train-7"]
    assert sorted(value.staying(pool, (), there)) == [0, 5]
    assert not value.leaving(dataclasses.replace(POOL, count=3), (), there)
    assert value.why(there.of("instance")[2], pool, (), there) == "count is 2, there are 3, and this one is worth least (on_demand; slot 7)"


@pytest.mark.parametrize(("count", "slots"), [(2, []), (3, [0]), (6, [0, 1, 3, 4])])
def test_new_ones_take_the_lowest_free_slots(count, slots):
    assert placing.missing(dataclasses.replace(POOL, count=count), seen(host(2), host(5))) == slots


def test_those_that_are_adopted_take_theirs_before():
    pool = dataclasses.replace(POOL, count=4, adopt=("i-b", "i-a"))
    others = [Found("instance", id, id, facts={"pool": "", "slot": None, "adopt": "train"}) for id in ("i-a", "i-b")]
    there = seen(host(1), *others)
    assert {slot: found.id for slot, found in placing.adopting(pool, there).items()} == {0: "i-b", 2: "i-a"}
    assert placing.missing(pool, there) == [3]
