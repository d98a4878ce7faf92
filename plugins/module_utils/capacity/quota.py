# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which vCPU quota of Service Quotas an instance type counts against.

Source: names in the EC2 user guide, "Amazon EC2 instance type quotas" and "Spot Instance quotas"; codes as ListServiceQuotas has them.
P5 counts as P On-Demand and has a spot quota of its own; which one newer P types count against as spot is not written anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Quota(NamedTuple):
    """``code`` of service ``ec2``; ``name`` as the console shows it; ``group`` of types that share it."""

    code: str
    name: str
    group: str


_ON_DEMAND = {
    "G and VT": Quota("L-DB2E81BA", "Running On-Demand G and VT instances", "G and VT"),
    "P": Quota("L-417A185B", "Running On-Demand P instances", "P"),
    "Standard": Quota("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", "Standard"),
}
_SPOT = {
    "G and VT": Quota("L-3819A6DF", "All G and VT Spot Instance Requests", "G and VT"),
    "P": Quota("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", "P"),
    "P5": Quota("L-C4BD4855", "All P5 Spot Instance Requests", "P5"),
    "Standard": Quota("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", "Standard"),
}
_GROUPS = {"g": "G and VT", "gr": "G and VT", "vt": "G and VT", "p": "P"}
#: Families with quotas of their own, which begin like Standard ones.
_OTHERS = frozenset(("dl", "hpc", "inf", "mac", "trn"))
_STANDARD = frozenset("acdhimrtz")


def group(instance_type: str) -> str:
    """``p5en.48xlarge`` → P; ``gr6.4xlarge`` → G and VT; ``c7i.large`` → Standard; the family's letters for all other types."""
    letters = re.match(r"[a-z]*", instance_type).group(0)
    if letters in _GROUPS:
        return _GROUPS[letters]
    return "Standard" if letters[:1] in _STANDARD and letters not in _OTHERS else letters or instance_type


def quota(instance_type: str, market: str) -> Quota | None:
    """The quota that a launch counts against; None where this table has none. Reservations count as On-Demand; blocks have none."""
    if market == "capacity_block":
        return None
    if market == "spot":
        return _SPOT.get(_spot_group(instance_type))
    return _ON_DEMAND.get(group(instance_type))


def _spot_group(instance_type: str) -> str:
    generation = re.match(r"p(\d+)", instance_type)
    if generation is None or int(generation.group(1)) < 5:
        return group(instance_type)
    return f"P{generation.group(1)}"


def same(one: str, other: str, market: str) -> bool:
    """Whether two types count against one quota in this market; where the table has none, the types of one group are taken to."""
    mine, theirs = quota(one, market), quota(other, market)
    return mine == theirs if mine or theirs else group(one) == group(other)


def patterns(instance_types: Iterable[str]) -> list[str]:
    """Filter values of ``instance-type`` that find at least all types that share a quota with one of these."""
    letters: set[str] = set()
    for name in instance_types:
        mine = group(name)
        shared = [word for word, one in _GROUPS.items() if one == mine] or (sorted(_STANDARD) if mine == "Standard" else [mine])
        letters.update(shared)
    return [f"{word}*" for word in sorted(letters)]
