# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which of a pool's offers can be launched the way the pool wants: in its placement group, with EFA, with so many interfaces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.interfaces import layout
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer, Rejected
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Observed, Ref
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool, Scope

_TOLD = 4  # types in a message; all are in its details
_PUBLIC = "and EC2 gives a public address to an instance with one alone"


def explicit(pool: Pool) -> bool:
    """Whether the pool's interfaces depend on the type."""
    return pool.efa or pool.interfaces > 1


def group_name(pool: Pool, scope: Scope) -> Optional[str]:
    """The placement group of the pool's instances."""
    if pool.placement != "cluster":
        return None
    return pool.existing_placement_group or f"{scope.prefix}-{pool.name}"


def group_ref(pool: Pool, scope: Scope) -> Optional[Ref]:
    name = group_name(pool, scope)
    return Ref("placement_group", name) if name else None


def misfit(facts: Optional[TypeFacts], pool: Pool, public: Optional[bool]) -> str:
    """Why a type cannot be launched as the pool wants; empty when it can.

    :param facts: None when EC2 does not describe the type.
    :param public: whether its instances are to have a public address.
    """
    if pool.placement != "cluster" and not explicit(pool):
        return ""
    if facts is None:
        return "EC2 does not describe it, so that nobody knows what it can do"
    if pool.placement == "cluster" and "cluster" not in facts.placement_strategies:
        return "it cannot be in a placement group with strategy cluster"
    if pool.efa and layout(facts, True, 1) is None:
        return "it has no EFA"
    laid = layout(facts, pool.efa, pool.interfaces)
    if laid is None:
        return f"it takes {facts.interfaces_maximum} network interfaces, fewer than are wanted"
    if public and len(laid) > 1:
        return f"it gets {len(laid)} network interfaces, {_PUBLIC}"
    return ""


def fitting(
    found: list[Offer], pool: Pool, scope: Scope, seen: Observed, types: Mapping[str, TypeFacts], public: Optional[bool]
) -> tuple[list[Offer], list[Rejected]]:
    """(the offers that can be launched so, what falls out with the reason)."""
    reasons = {name: misfit(types.get(name), pool, public) for name in dict.fromkeys(one.instance_type for one in found)}
    out = [Rejected(name, None, None, reason) for name, reason in reasons.items() if reason]
    left = [one for one in found if not reasons[one.instance_type]]
    zones = group_zones(pool, scope, seen)
    if zones:
        where = f"placement group {group_name(pool, scope)} has its instances in {', '.join(sorted(zones))}"
        out += [Rejected(one.instance_type, one.zone, one.market, where) for one in left if one.zone not in zones]
        left = [one for one in left if one.zone in zones]
    return left, out


def group_zones(pool: Pool, scope: Scope, seen: Observed) -> set[str]:
    """Where the instances of the pool's group are: a cluster cannot leave its zone. Empty when there are none."""
    name = group_name(pool, scope)
    if name is None:
        return set()
    group = seen.get("placement_group", name)
    zones = set(group.facts.get("zones", ())) if group is not None else set()
    return zones | {one.state["zone"] for one in seen.of("instance") if one.facts.get("placement_group") == name and _lives(one.facts)}


def _lives(facts: Mapping[str, object]) -> bool:
    return "ended" not in facts


def nothing_fits(pool: Pool, out: Iterable[Rejected]) -> StackError:
    """For a pool none of whose offers is left."""
    out = list(out)
    said = list(dict.fromkeys(f"{' '.join(filter(None, one[:3]))}: {one.reason}" for one in out))
    more = f"; and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
    grouped = all("placement group" in one.reason for one in out) or not explicit(pool)
    word = "placement" if grouped else "efa" if pool.efa else "interfaces"
    hint = f"Allow other types, or leave out {word}"
    if any(one.reason.endswith(_PUBLIC) for one in out):
        hint = "Set network.private: true with a nat and a way in over a bastion or a VPN, or " + hint[0].lower() + hint[1:]
    elif any(one.reason.startswith("placement group") for one in out):
        hint = "Allow types and markets of that zone, or end the instances that are there"
    return StackError(
        f"pools.{pool.name}.{word} is {str(getattr(pool, word)).lower()}: no offer can be launched so ({'; '.join(said[:_TOLD])}{more})",
        hint,
        path=f"pools.{pool.name}.{word}",
        rejected=[one._asdict() for one in out],
    )
