# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which offers can be launched as a pool wants, and the zone that its placement group is in."""

from __future__ import annotations

import dataclasses

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import fitting
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer, Rejected
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Image, Pool, Scope

SCOPE = Scope("123456789012", "us-east-1", "vision", "dev")
PLAIN = Pool("train", 2, ("g5.xlarge",), Image(id="ami-1"))
CLUSTER = dataclasses.replace(PLAIN, placement="cluster")
EFA = dataclasses.replace(PLAIN, efa=True)
TYPES = {name: type_facts.of(INSTANCE_TYPES[name]) for name in ("g5.xlarge", "t3.large", "p4d.24xlarge", "g5.8xlarge", "mac1.metal")}


@pytest.mark.parametrize(
    ("name", "pool", "public", "reason"),
    [
        ("t3.large", PLAIN, True, ""),
        ("z9.none", PLAIN, True, ""),
        ("z9.none", CLUSTER, False, "EC2 does not describe it, so that nobody knows what it can do"),
        ("g5.xlarge", CLUSTER, True, ""),
        ("t3.large", CLUSTER, True, "it cannot be in a placement group with strategy cluster"),
        ("mac1.metal", CLUSTER, True, "it cannot be in a placement group with strategy cluster"),
        ("g5.xlarge", EFA, False, "it has no EFA"),
        ("g5.8xlarge", EFA, True, ""),
        ("p4d.24xlarge", EFA, False, ""),
        ("p4d.24xlarge", EFA, None, ""),
        ("p4d.24xlarge", EFA, True, "it gets 4 network interfaces, and EC2 gives a public address to an instance with one alone"),
        ("t3.large", dataclasses.replace(PLAIN, interfaces=3), False, ""),
        ("t3.large", dataclasses.replace(PLAIN, interfaces=4), False, "it takes 3 network interfaces, fewer than are wanted"),
    ],
)
def test_why_a_type_falls_out(name, pool, public, reason):
    assert fitting.misfit(TYPES.get(name), pool, public) == reason


def test_the_group_of_a_pool():
    assert fitting.group_name(PLAIN, SCOPE) is None and fitting.group_ref(PLAIN, SCOPE) is None
    assert fitting.group_name(CLUSTER, SCOPE) == "vision-dev-train"
    assert fitting.group_name(dataclasses.replace(CLUSTER, existing_placement_group="theirs"), SCOPE) == "theirs"
    assert CLUSTER.together and not PLAIN.together


def _seen(*instances, group_zones=()):
    group = Found("placement_group", "vision-dev-train", "vision-dev-train", owned=True, facts={"zones": list(group_zones)})
    return Observed("1", "aws", "us-east-1", {"placement_group": [group], "instance": list(instances)}, type_facts=TYPES)


def _instance(zone, group="vision-dev-train", **facts):
    return Found("instance", "train-0", "i-1", {"zone": zone}, facts={"placement_group": group, **facts}, owned=True)


OFFERS = [Offer("g5.xlarge", zone, "on_demand") for zone in ("a", "b")]


@pytest.mark.parametrize(
    ("seen", "zones"),
    [
        (_seen(), ["a", "b"]),
        (_seen(_instance("b")), ["b"]),
        (_seen(_instance("b", group="")), ["a", "b"]),
        (_seen(_instance("b", ended=True)), ["a", "b"]),
        (_seen(group_zones=["a"]), ["a"]),
        (_seen(_instance("c")), []),
    ],
)
def test_a_group_cannot_leave_its_zone(seen, zones):
    left, out = fitting.fitting(OFFERS, CLUSTER, SCOPE, seen, TYPES, True)
    assert [one.zone for one in left] == zones and len(left) + len(out) == 2
    assert fitting.fitting(OFFERS, PLAIN, SCOPE, seen, {}, True) == (OFFERS, [])


@pytest.mark.parametrize(
    ("pool", "reason", "word", "hint"),
    [
        (
            CLUSTER,
            "it cannot be in a placement group with strategy cluster",
            "placement is cluster",
            "Allow other types, or leave out placement",
        ),
        (CLUSTER, "placement group g has its instances in a", "placement is cluster", "Allow types and markets of that zone"),
        (EFA, "it has no EFA", "efa is true", "Allow other types, or leave out efa"),
        (EFA, f"it gets 4 network interfaces, {fitting._PUBLIC}", "efa is true", "Set network.private: true"),
        (dataclasses.replace(PLAIN, interfaces=9), "it takes 3 network interfaces", "interfaces is 9", "leave out interfaces"),
    ],
)
def test_nothing_fits_says_what_to_do(pool, reason, word, hint):
    error = fitting.nothing_fits(pool, [Rejected(f"x{number}.large", None, None, reason) for number in range(6)])
    assert error.message.startswith(f"pools.train.{word}: no offer can be launched so (x0.large: {reason}; ") and hint in error.message
    assert "; and 2 more)" in error.message and len(error.details["rejected"]) == 6 and error.details["path"].endswith(word.split()[0])
