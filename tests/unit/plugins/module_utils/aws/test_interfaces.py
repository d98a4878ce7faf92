# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How interfaces lie on the network cards, for single types and as properties of all types that EC2 describes."""

from __future__ import annotations

from collections import Counter

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.interfaces import Interface, cards_of, layout, specifications
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import NetworkCard, TypeFacts

FACTS = {name: type_facts.of(raw) for name, raw in INSTANCE_TYPES.items()}


def of(name: str, efa: bool = True, count: int = 1):
    return layout(FACTS[name], efa, count)


@pytest.mark.parametrize(
    ("name", "laid"),
    [
        ("c5n.18xlarge", [Interface(0, 0, "efa")]),
        ("g5.48xlarge", [Interface(0, 0, "efa")]),
        ("p4d.24xlarge", [Interface(0, 0, "efa"), *(Interface(card, 1, "efa-only") for card in (1, 2, 3))]),
        ("p5.48xlarge", [Interface(0, 0, "efa"), *(Interface(card, 1, "efa-only") for card in range(1, 32))]),
        ("p6-b300.48xlarge", [Interface(0, 0, "interface"), *(Interface(card, 0, "efa-only") for card in range(1, 17))]),
        ("i7ie.48xlarge", [Interface(0, 0, "efa")]),  # two cards and one adapter
    ],
)
def test_one_adapter_on_each_card(name, laid):
    assert list(of(name)) == laid


@pytest.mark.parametrize("name", ["g5.xlarge", "t3.large", "c5n.large"])
def test_types_without_efa(name):
    assert of(name) is None and of(name, efa=False) == (Interface(0, 0),)


def test_plain_ones_go_where_there_are_fewest():
    assert of("g5.xlarge", False, 3) == (Interface(0, 0), Interface(0, 1), Interface(0, 2))
    assert of("g5.xlarge", False, 4) is not None and of("g5.xlarge", False, 5) is None
    assert of("c6in.32xlarge", False, 4) == (Interface(0, 0), Interface(1, 1), Interface(0, 1), Interface(1, 2))
    assert of("p4d.24xlarge", True, 2)[4:] == (Interface(0, 1),)
    assert of("p6-b300.48xlarge", True, 2)[17:] == (Interface(0, 1),)


def test_a_type_that_does_not_describe_its_cards_has_one():
    assert layout(TypeFacts("x.y", interfaces_maximum=2), False, 2) == (Interface(0, 0), Interface(0, 1))
    assert layout(TypeFacts("x.y", interfaces_maximum=2), False, 3) is None


def test_a_card_takes_no_more_than_it_has_room_for():
    uneven = TypeFacts("x.y", interfaces_maximum=9, network_cards=(NetworkCard(0, 1, False), NetworkCard(1, 3, False)))
    assert [one.card for one in layout(uneven, False, 4)] == [0, 1, 1, 1] and layout(uneven, False, 5) is None


@pytest.mark.parametrize("efa", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4, 15])
def test_whatever_is_laid_out_is_what_the_type_takes(efa, count):
    laid_out = 0
    for facts in FACTS.values():
        laid = layout(facts, efa, count)
        if laid is None:
            assert (efa and facts.efa_maximum == 0) or count > 1, facts.name
            continue
        laid_out += 1
        assert laid[0][:2] == (0, 0) and laid[0].kind != "efa-only"
        assert len({one[:2] for one in laid}) == len(laid) <= facts.interfaces_maximum
        on = Counter(one.card for one in laid)
        cards = {card.index: card for card in cards_of(facts)}
        assert all(on[index] <= cards[index].interfaces for index in on)
        adapters = [one for one in laid if one.kind != "interface"]
        assert all(cards[one.card].efa for one in adapters) and len({one.card for one in adapters}) == len(adapters)
        assert len(adapters) == (facts.efa_maximum if efa else 0)
        assert sum(one.kind != "efa-only" for one in laid) == count
    assert laid_out > 20


def test_what_ec2_is_told():
    (plain,) = specifications((Interface(0, 0),), "subnet-1", ["sg-1"], True, explicit=False)
    assert plain == {
        "DeviceIndex": 0,
        "SubnetId": "subnet-1",
        "Groups": ["sg-1"],
        "DeleteOnTermination": True,
        "AssociatePublicIpAddress": True,
    }
    (left,) = specifications((Interface(0, 0),), "subnet-1", ["sg-1"], None, explicit=False)
    assert "AssociatePublicIpAddress" not in left
    (efa,) = specifications((Interface(0, 0, "efa"),), "subnet-1", ["sg-1"], False, explicit=True)
    assert (efa["InterfaceType"], efa["NetworkCardIndex"], efa["AssociatePublicIpAddress"]) == ("efa", 0, False)


@pytest.mark.parametrize("public", [True, False, None])
def test_nothing_is_said_of_public_addresses_with_several(public):
    many = specifications(of("p5.48xlarge"), "subnet-1", ["sg-1"], public, explicit=True)
    assert len(many) == 32 and not [one for one in many if "AssociatePublicIpAddress" in one]
    assert {(one["SubnetId"], tuple(one["Groups"]), one["DeleteOnTermination"]) for one in many} == {("subnet-1", ("sg-1",), True)}
