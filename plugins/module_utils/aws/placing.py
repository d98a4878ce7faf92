# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which offers a slot of a pool has: type, zone and market, and the subnet there. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fitting import fitting, nothing_fits
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import blocks, subnet_name, subnet_ref, zones_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import SLOT, SLOTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import limits_addresses, limits_vcpu
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Limits, Need
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer, Rejected
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import CapacityWish, in_order, offers
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Intent, Observed, Ref
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Network, Pool

_REASONS = 4  # told in a message; all of them are in its details


class Place(NamedTuple):
    zone: str
    subnet: Ref


class Choice(NamedTuple):
    """``offers`` in the order in which they are tried; ``subnets``: zone → its subnet; ``all``: also those beyond the account's limits."""

    offers: tuple[Offer, ...]
    subnets: Mapping[str, Ref]
    all: tuple[Offer, ...] = ()


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


def slot_of(tags: Mapping[str, str], index: int) -> Optional[int]:
    """The slot that an instance's tags give it; ``index`` is its place in the launch (AmiLaunchIndex)."""
    own = tags.get(SLOT, "")
    if re.fullmatch(r"\d{1,6}", own):
        return int(own)
    slots = slots_of(tags.get(SLOTS, ""))
    return slots[index] if index < len(slots) else None


def alive(pool: str, seen: Observed) -> dict[int, Found]:
    """Slot → its instance, for one pool."""
    return {
        found.facts["slot"]: found
        for found in seen.of("instance")
        if found.owned and found.facts["pool"] == pool and found.facts["slot"] is not None
    }


def adopting(pool: Pool, seen: Observed) -> dict[int, Found]:
    """Slot → the instance that the pool adopts into it: the lowest free slots, in the order of the declaration."""
    found = {one.id: one for one in seen.of("instance") if one.facts.get("adopt") == pool.name}
    new = [found[one] for one in pool.adopt if one in found]
    return dict(zip(free(alive(pool.name, seen), len(new)), new))


def missing(pool: Pool, seen: Observed) -> list[int]:
    """The slots that have to be filled. Instances keep their slots, so a pool that has shrunk may have holes: new ones fill the lowest."""
    taken = {**alive(pool.name, seen), **adopting(pool, seen)}
    return free(taken, pool.count - len(taken))


def free(taken: Collection[int], number: int) -> list[int]:
    """The ``number`` lowest slots that are not taken."""
    return list(itertools.islice((slot for slot in itertools.count() if slot not in taken), max(0, number)))


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


def choose(
    pool: Pool, intent: Intent, seen: Observed, count: int, beside: Optional[Iterable[Found]] = None, ending: Iterable[Found] = ()
) -> Choice:
    """The pool's offers in the order in which it tries them: of types that it has already first, so that its hosts stay alike.

    :param count: how many are to be launched.
    :param beside: the pool's instances that stay; all of them unless given.
    :param ending: its instances that end before the launch, which need no quota any more then.
    :raises StackError: there is none.
    """
    subnets = {place.zone: place.subnet for place in places(pool, intent, seen)}
    types = {name: GPU_TYPES[name] for name in pool.instance_types if name in GPU_TYPES}
    wish = capacity_wish(pool, subnets)
    found, rejected = offers(wish, seen.market, types)
    found, out = fitting(found, pool, intent.scope, seen, seen.type_facts, public_address(pool, intent.stack.network))
    if out and not found:
        raise nothing_fits(pool, out)
    there = list(alive(pool.name, seen).values() if beside is None else beside)
    zones = {one.state["zone"] for one in there} if pool.together else set()
    if zones:
        why = f"the pool's hosts are in {', '.join(sorted(zones))}, and all have to be in one zone"
        apart = [Rejected(one.instance_type, one.zone, one.market, why) for one in found if one.zone not in zones]
        rejected = [*(one for one in rejected if one.zone in zones), *apart, *(one for one in rejected if one.zone not in zones)]
        found = [one for one in found if one.zone in zones]
    if not found:
        raise _none(pool, list(subnets), seen, rejected, zones)
    used = {one.state["instance_type"] for one in there}
    ordered = in_order(found, wish, by_price=pool.gpu is not None)
    found = sorted(ordered, key=lambda one: one.instance_type not in used)
    asked = need(pool, seen, found, count, None if beside is None else len(there))
    limits = limits_vcpu.without(seen.limits, [quota_of(one) for one in ending])
    left = within(asked, limits, free_addresses(subnets, intent, seen))
    return Choice(tuple(left or found), subnets, tuple(found))  # with none left, preflight refuses the plan, or EC2 is asked all the same


def quota_of(found: Found) -> tuple[str, str, int]:
    """Type, market and vCPUs that a quota counts of an instance: only of one that runs."""
    runs = found.facts.get("status") in ("pending", "running")
    return found.state["instance_type"], found.facts.get("market", "on_demand"), found.facts.get("vcpus", 0) if runs else 0


def need(pool: Pool, seen: Observed, found: Iterable[Offer], count: int, beside: Optional[int] = None) -> Need:
    """What a launch of ``count`` instances needs of the account, by any of these offers.

    :param beside: how many instances the pool has without them; all that are there and are adopted unless given.
    """
    there = len({**alive(pool.name, seen), **adopting(pool, seen)}) if beside is None else beside
    least = min(count, max(0, pool.least - there))
    return Need(pool.name, count, least, pool.together, tuple(found), pool.interfaces)


def within(asked: Need, limits: Limits, addresses: Mapping[str, Optional[int]]) -> list[Offer]:
    """The offers that fit into the account's quotas and the subnets' addresses, as far as these are known."""
    return [
        one for one in asked.offers if not limits_vcpu.against(one, asked, limits) and not limits_addresses.against(one, asked, addresses)
    ]


def free_addresses(subnets: Mapping[str, Ref], intent: Intent, seen: Observed) -> dict[str, Optional[int]]:
    """Zone → free addresses of its subnet; of one that is not made yet, all that it will have."""
    network = intent.stack.network
    wished = {} if network.existing is not None else {subnet_name(one): one.cidr for one in blocks(network, seen)}
    found: dict[str, Optional[int]] = {}
    for zone, ref in subnets.items():
        there = seen.get(ref.kind, ref.name)
        if there is not None:
            found[zone] = there.facts.get("free")
        else:
            found[zone] = limits_addresses.planned(wished[ref.name]) if ref.name in wished else None
    return found


def capacity_wish(pool: Pool, zones: Iterable[str]) -> CapacityWish:
    return CapacityWish(
        instance_types=pool.instance_types,
        markets=pool.market,
        max_hourly_usd=pool.max_hourly_usd,
        zones=tuple(zones),
        exclude_types=pool.exclude_types,
        exclude_zones=pool.exclude_zones,
    )


def _none(pool: Pool, zones: list[str], seen: Observed, rejected: list[Rejected], held: Collection[str]) -> StackError:
    """:param held: the zones that the pool's hosts hold it in."""
    wanted = " or ".join(pool.instance_types)
    offered = sorted({zone for name in pool.instance_types for zone in seen.market.zones.get(name, ())})
    if offered and not set(offered) & set(zones):
        return StackError(
            f"pools.{pool.name} wants {wanted}: not offered in {', '.join(zones)}",
            f"{seen.region} offers them in {', '.join(offered)}: add one of these zones to the network, or allow other types",
            path=f"pools.{pool.name}",
        )
    if not offered:
        hint = f"Check the name: no zone of {seen.region} offers such a type. Or allow other types, or use another region"
        return StackError(f"pools.{pool.name} wants {wanted}: not offered in {', '.join(zones)}", hint, path=f"pools.{pool.name}")
    telling = [one for one in rejected if one.zone in zones] or rejected
    reasons = dict.fromkeys(f"{' '.join(filter(None, one[:3]))}: {one.reason}" for one in telling)
    more = f"; and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
    hint = "Allow another market, type or zone, or a higher max_hourly_usd"
    if held:
        hint = f"Allow a market, type or price that {' or '.join(sorted(held))} has, or let the pool spread over zones"
    return StackError(
        f"pools.{pool.name} has no offer ({'; '.join(list(reasons)[:_REASONS])}{more})",
        hint,
        path=f"pools.{pool.name}",
        rejected=[one._asdict() for one in rejected],
    )


def for_slot(slot: int, choice: Choice, pool: Pool) -> tuple[Offer, ...]:
    """The offers for one slot. Slots of a pool that is spread begin in different zones, the same slot always in the same one.

    Spot has no such order: EC2 chooses among all of them for all slots at once.
    """
    if pool.together:
        return choice.offers
    groups: dict[tuple[str, str], list[Offer]] = {}
    for one in choice.offers:
        groups.setdefault((one.market, one.instance_type), []).append(one)
    ordered: list[Offer] = []
    for (market, _type), group in groups.items():
        zones = sorted({one.zone for one in group})
        first = zones[slot % len(zones)] if market != "spot" else None
        ordered += sorted(group, key=lambda one: one.zone != first)
    return tuple(ordered)


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
