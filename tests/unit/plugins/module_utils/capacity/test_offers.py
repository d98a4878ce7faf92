# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types × zones × markets for a wish, and why the others are none."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer, Reservation
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import CapacityWish, Market, in_order, offers
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES

A, B = "us-east-1a", "us-east-1b"
EVERYWHERE = dict.fromkeys(GPU_TYPES, (A, B))
LIST_PRICES = {(name, "on_demand", None): gpu.usd_per_hour for name, gpu in GPU_TYPES.items() if gpu.usd_per_hour}
UNKNOWN = "its price is not known, and max_hourly_usd is 9"
NONE = "the account has none that is active"
REGION = Market(EVERYWHERE, LIST_PRICES)


def types_of(found):
    return list(dict.fromkeys(one.instance_type for one in found))


@pytest.mark.parametrize(
    ("memory", "models"),
    [
        (24, {"a10g", "l4"}),
        (48, {"l40s"}),
        (80, {"a100", "h100"}),
        (141, {"h200"}),
        (180, {"b200"}),
        (192, {"b200"}),
        (288, {"b300"}),
        (16, {"t4", "v100"}),
    ],
)
def test_memory_is_meant_in_nominal_sizes(memory, models):
    found, _rejected = offers(CapacityWish(memory_gib=memory), REGION)
    assert {GPU_TYPES[name].model for name in types_of(found)} <= models | {"v100"}
    assert models - {"v100"} <= {GPU_TYPES[name].model for name in types_of(found)}


def test_cheapest_first_and_each_with_its_zone():
    found, _rejected = offers(CapacityWish(models=("a10g", "l4"), count=1), REGION)
    first = [("g6.xlarge", A, 0.8048), ("g6.xlarge", B, 0.8048), ("g6.2xlarge", A, 0.9776)]
    assert [(one.instance_type, one.zone, one.usd) for one in found[:3]] == first
    assert [one.usd for one in found] == sorted(one.usd for one in found)


def test_parts_of_a_gpu_only_when_asked_for():
    found, rejected = offers(CapacityWish(models=("l4",)), REGION)
    assert not any(GPU_TYPES[name].fractional for name in types_of(found))
    assert "it has a part of a GPU" in [one.reason for one in rejected if one.instance_type == "g6f.large"]
    parts, _rejected = offers(CapacityWish(models=("l4",), fractional=True), REGION)
    assert parts and all(GPU_TYPES[name].fractional for name in types_of(parts))


def test_arm_is_never_meant_by_accident():
    assert not [name for name in types_of(offers(CapacityWish(), REGION)[0]) if name.startswith("g5g.")]
    assert types_of(offers(CapacityWish(models=("t4g",), count=1), REGION)[0])[0] == "g5g.xlarge"


@pytest.mark.parametrize(
    ("wish", "row"),
    [
        (CapacityWish(models=("a10g",), count=4), ("g5.xlarge", None, None, "it has 1 GPUs")),
        (CapacityWish(models=("h100",)), ("g5.xlarge", None, None, "its GPU is a10g")),
        (CapacityWish(models=("a10g",), exclude_types=("g5.xlarge",)), ("g5.xlarge", None, None, "it is excluded")),
        (CapacityWish(models=("a10g",), zones=(A,)), ("g5.xlarge", B, None, "it is none of zones")),
        (CapacityWish(models=("a10g",), exclude_zones=(B,)), ("g5.xlarge", B, None, "the zone is excluded")),
        (CapacityWish(models=("a10g",), max_hourly_usd=1), ("g5.xlarge", A, "on_demand", "1.006 USD an hour, and max_hourly_usd is 1")),
        (CapacityWish(models=("h200",), max_hourly_usd=9), ("p5e.48xlarge", A, "on_demand", UNKNOWN)),
        (CapacityWish(models=("a10g",), markets=("spot",)), ("g5.xlarge", A, "spot", "spot has no price there: it is not sold")),
        (CapacityWish(models=("h100",), markets=("reservation",)), ("p5.48xlarge", A, "reservation", NONE)),
        (CapacityWish(instance_types=("g9.huge",)), ("g9.huge", None, None, "the region does not have it")),
        (CapacityWish(instance_types=("g9.huge",)), ("g5.xlarge", None, None, "it is none of instance_types")),
    ],
)
def test_each_that_is_none_says_why(wish, row):
    found, rejected = offers(wish, REGION)
    assert row in [tuple(one) for one in rejected]
    assert not [one for one in found if (one.instance_type, one.zone) == row[:2]]


def test_reservations_are_named_with_their_end_and_used_up_ones_are_none():
    mine = [
        Reservation("cr-2", "p5.48xlarge", A, "reservation", 0),
        Reservation("cr-1", "p5.48xlarge", A, "reservation", 3),
        Reservation("cr-3", "p5.48xlarge", B, "capacity_block", 2, "2026-12-01T11:30:00Z"),
        Reservation("cr-4", "p5.48xlarge", B, "capacity_block", 2, state="payment-pending"),
    ]
    wish = CapacityWish(models=("h100",), count=8, markets=("reservation", "capacity_block"))
    found, rejected = offers(wish, REGION._replace(reservations=mine))
    assert found == [
        Offer("p5.48xlarge", A, "reservation", 0.0, "cr-1", 3, None),
        Offer("p5.48xlarge", B, "capacity_block", 0.0, "cr-3", 2, "2026-12-01T11:30:00Z"),
    ]
    assert "cr-2 is used up" in [one.reason for one in rejected]


def test_a_pool_tries_zones_then_types_then_markets():
    prices = {**LIST_PRICES, ("g6.xlarge", "spot", A): 0.5, ("g6.xlarge", "spot", B): 0.3, ("g5.xlarge", "spot", A): 0.4}
    wish = CapacityWish(models=("a10g", "l4"), count=1, markets=("spot", "on_demand"), max_hourly_usd=1.1)
    found, _rejected = offers(wish, Market(EVERYWHERE, prices))
    assert [(one.market, one.instance_type, one.zone) for one in in_order(found, wish)][:5] == [
        ("spot", "g6.xlarge", B),
        ("spot", "g6.xlarge", A),
        ("spot", "g5.xlarge", A),
        ("on_demand", "g6.xlarge", A),
        ("on_demand", "g6.xlarge", B),
    ]


def test_types_that_are_named_keep_their_order():
    wish = CapacityWish(instance_types=("p5.48xlarge", "g5.xlarge"))
    assert types_of(in_order(offers(wish, REGION)[0], wish)) == ["p5.48xlarge", "g5.xlarge"]
