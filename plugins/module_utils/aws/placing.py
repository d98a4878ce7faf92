# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which slot of a pool goes where: type, zone and subnet. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import subnet_ref, zones_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Intent, Observed, Ref
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Network, Pool


class Place(NamedTuple):
    zone: str
    subnet: Ref


class Offer(NamedTuple):
    instance_type: str
    places: tuple[Place, ...]


def slots_text(slots: list[int]) -> str:
    """``[0, 1, 2, 5]`` as ``0-2,5``."""
    parts: list[list[int]] = []
    for slot in sorted(slots):
        if parts and slot == parts[-1][-1] + 1:
            parts[-1][1:] = [slot]
        else:
            parts.append([slot])
    return ",".join("-".join(map(str, part)) for part in parts)


def slots_of(text: str) -> list[int]:
    """The reverse; empty when it is no such text."""
    if not re.fullmatch(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*", text or ""):
        return []
    slots: list[int] = []
    for part in text.split(","):
        first, _dash, last = part.partition("-")
        slots.extend(range(int(first), int(last or first) + 1))
    return slots


def alive(pool: str, seen: Observed) -> dict[int, Found]:
    """Slot → its instance, for one pool."""
    return {
        found.facts["slot"]: found
        for found in seen.of("instance")
        if found.owned and found.facts["pool"] == pool and found.facts["slot"] is not None
    }


def missing(pool: Pool, seen: Observed) -> list[int]:
    """The slots that have to be filled."""
    there = alive(pool.name, seen)
    return [slot for slot in range(pool.count) if slot not in there]


def places(pool: Pool, intent: Intent, seen: Observed) -> tuple[Place, ...]:
    """Where the pool's instances may go, one subnet per zone.

    :raises StackError: one of the pool's zones is not in the network.
    """
    network = intent.stack.network
    if network.existing is None:
        private = network.private and network.access.bastion_pool != pool.name
        found = [Place(zone, subnet_ref(zone, private)) for zone in zones_of(network, seen)]
    else:
        found = _existing(seen)
    known = [place.zone for place in found]
    lost = [zone for zone in pool.zones if zone not in known]
    if lost:
        raise StackError(
            f"pools.{pool.name}.zones has {', '.join(lost)}: the network has subnets in {', '.join(known)}",
            "Use those",
            path=f"pools.{pool.name}.zones",
        )
    return tuple(place for place in found if not pool.zones or place.zone in pool.zones)


def _existing(seen: Observed) -> list[Place]:
    """The subnets that the declaration refers to, the first of each zone."""
    zones: dict[str, Place] = {}
    for found in sorted((one for one in seen.of("subnet") if one.existing), key=lambda found: found.id):
        zones.setdefault(found.state["zone"], Place(found.state["zone"], Ref("subnet", found.name)))
    return [zones[zone] for zone in sorted(zones)]


def offer(pool: Pool, intent: Intent, seen: Observed) -> Offer:
    """The type that the pool launches and where: the type it has already if that is still declared, else the first that some zone offers.

    :raises StackError: no zone of the network offers any of them.
    """
    allowed = places(pool, intent, seen)
    used = [found.state["instance_type"] for _slot, found in sorted(alive(pool.name, seen).items())]
    ordered = sorted(pool.instance_types, key=lambda name: (name not in used, pool.instance_types.index(name)))
    for name in ordered:
        there = tuple(place for place in allowed if place.zone in seen.offered.get(name, ()))
        if there:
            return Offer(name, there if pool.spread else _together(pool, there, seen))
    elsewhere = sorted({zone for name in ordered for zone in seen.offered.get(name, ())})
    hint = (
        f"{seen.region} offers them in {', '.join(elsewhere)}: add one of these zones to the network"
        if elsewhere
        else f"{seen.region} has none of them"
    )
    raise StackError(
        f"pools.{pool.name} wants {' or '.join(ordered)}: not offered in {', '.join(place.zone for place in allowed)}",
        f"{hint}, or allow other types",
        path=f"pools.{pool.name}",
    )


def _together(pool: Pool, there: tuple[Place, ...], seen: Observed) -> tuple[Place, ...]:
    """One place: where the pool is already, else the first."""
    used = {found.state["zone"] for found in alive(pool.name, seen).values()}
    return (next((place for place in there if place.zone in used), there[0]),)


def place_of(slot: int, chosen: Offer) -> Place:
    """The same slot goes to the same place in every run."""
    return chosen.places[slot % len(chosen.places)]


def public_address(pool: Pool, network: Network) -> Optional[bool]:
    """Whether instances get a public address; None leaves it to the subnet, which belongs to somebody else."""
    if network.existing is not None:
        return False if network.private else None
    return not network.private or network.access.bastion_pool == pool.name


def key_name(intent: Intent) -> Optional[Ref]:
    return Ref("key_pair", intent.stack.key.name) if intent.stack.key is not None else None


def profile(intent: Intent) -> Optional[Ref]:
    """None without an identity section: that is then unmanaged, and hosts get no role."""
    identity = intent.stack.identity
    return Ref("instance_profile", identity.existing_instance_profile or "hosts") if identity is not None else None
