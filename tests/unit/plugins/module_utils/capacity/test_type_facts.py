# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from DescribeInstanceTypes, from raw answers as EC2 gives them (moto keeps its answers for all types)."""

from __future__ import annotations

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import NetworkCard, TypeFacts


def test_p4d_has_four_cards_and_eight_disks():
    facts = type_facts.of(INSTANCE_TYPES["p4d.24xlarge"])
    assert (facts.vcpus, facts.memory_mib, facts.efa_maximum, facts.interfaces_maximum) == (96, 1179648, 4, 60)
    assert facts.network_cards == tuple(NetworkCard(index, 15, True) for index in range(4))
    assert facts.instance_store and facts.instance_store_gib == 7450  # 8 × 1000 GB
    assert "cluster" in facts.placement_strategies and facts.architectures == ("x86_64",)


@pytest.mark.parametrize(
    ("name", "efa", "cards", "most", "store", "cluster"),
    [
        ("g5.xlarge", 0, 1, 4, 232, True),
        ("c5n.18xlarge", 1, 1, 15, 0, True),
        ("p5.48xlarge", 32, 32, 64, 28312, True),
        ("p6-b300.48xlarge", 16, 17, 68, 28312, True),
        ("t3.large", 0, 1, 3, 0, False),
        ("mac1.metal", 0, 1, 8, 0, False),
    ],
)
def test_types(name, efa, cards, most, store, cluster):
    facts = type_facts.of(INSTANCE_TYPES[name])
    assert (facts.efa_maximum, len(facts.network_cards), facts.interfaces_maximum) == (efa, cards, most)
    assert (facts.instance_store_gib, facts.instance_store) == (store, store > 0)
    assert ("cluster" in facts.placement_strategies) is cluster


def test_the_first_card_of_a_b300_has_no_efa():
    cards = type_facts.of(INSTANCE_TYPES["p6-b300.48xlarge"]).network_cards
    assert [card.efa for card in cards] == [False] + [True] * 16


def test_an_answer_with_nothing_in_it():
    assert type_facts.of({"InstanceType": "x1.odd"}) == TypeFacts("x1.odd")
    old = {
        "InstanceType": "p4d.24xlarge",
        "NetworkInfo": {"EfaSupported": True, "EfaInfo": {"MaximumEfaInterfaces": 1}, "NetworkCards": [{}]},
    }
    assert type_facts.of(old).network_cards == (NetworkCard(0, 1, True),)


def test_every_type_can_be_read():
    for raw in INSTANCE_TYPES.values():
        facts = type_facts.of(raw)
        assert facts.vcpus > 0 and facts.interfaces_maximum >= facts.efa_maximum and facts.network_cards[0].index == 0
        assert facts.efa_maximum <= sum(card.efa for card in facts.network_cards)


class _Ec2:
    def __init__(self):
        self.asked = []

    def get_paginator(self, operation):
        assert operation == "describe_instance_types"
        return self

    def paginate(self, Filters):
        self.asked.append(Filters[0]["Values"])
        return self

    def search(self, _path):
        return [INSTANCE_TYPES[name] for name in self.asked[-1] if name in INSTANCE_TYPES]


def test_reading_asks_once_and_leaves_out_what_is_not_there():
    ec2 = _Ec2()
    assert sorted(type_facts.read(ec2, ["g5.xlarge", "t3.large", "g5.xlarge", "z9.none"])) == ["g5.xlarge", "t3.large"]
    assert ec2.asked == [["g5.xlarge", "t3.large", "z9.none"]]
    assert type_facts.read(ec2, []) == {} and len(ec2.asked) == 1
    type_facts.read(ec2, sorted(INSTANCE_TYPES)[:250])
    assert [len(names) for names in ec2.asked[1:]] == [200, 50]


def test_the_instance_store_of_a_type_that_nobody_read_is_unknown():
    assert type_facts.instance_store_gib("g5.xlarge", {}) is None
    assert type_facts.instance_store_gib("t3.large", {"t3.large": TypeFacts("t3.large")}) == 0
