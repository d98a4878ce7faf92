# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads what planning needs: every kind at once, then, only for what will happen, zones, images, offers and what guards a deletion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import changing, lease, occupants, power, terms, value
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.image import find_images, find_zones
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind, Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import zones_unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import VPC
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import limits_reading, type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import reading as capacity
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import preflight
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import BY_NAME, KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Network, Pool

_EXISTING_NETWORK = ("vpc", "subnet", "security_group")  # what a reference leads to


def relevant(kind: Kind, intent: Intent, everything: bool) -> bool:
    """Whether the kind has to be read at all."""
    stack = intent.stack
    if everything or intent.absent:
        return True
    if kind.section == "network" and stack.network is not None and stack.network.existing is not None and not intent.prune:
        return kind.name in _EXISTING_NETWORK
    return getattr(stack, kind.section) is not None and kind.asked(intent)


def services(intent: Intent, everything: bool = False) -> list[str]:
    """The services whose clients threads will use when reading."""
    return list(dict.fromkeys(kind.service for kind in KINDS if relevant(kind, intent, everything)))


def observe(reader: Reader, only: Optional[Iterable[str]] = None, known: Optional[Observed] = None) -> Observed:
    """All relevant kinds, read at the same time.

    :param only: read again these kinds only, and take the others from ``known``.
    """
    kinds = [kind for kind in KINDS if relevant(kind, reader.intent, reader.everything) and (only is None or kind.name in only)]
    results = reader.together(*[lambda kind=kind: kind.observe(reader) for kind in kinds])
    seen = Observed(reader.account_id, reader.partition, reader.scope.region)
    if known is not None:
        seen = Observed(known.account_id, known.partition, known.region, dict(known.found), known.zones, known.images, known.market)
        seen.limits = known.limits
        seen.type_facts = known.type_facts
    seen.found.update({kind.name: found for kind, found in zip(kinds, results)})
    _disown_strays(seen)
    _leave_other_vpcs(seen, reader.stack.network)
    terms.join(seen)
    return seen


def _disown_strays(seen: Observed) -> None:
    """What carries our tags in a VPC that is not ours was not made by us: tags can be copied."""
    ours = {found.id for found in seen.of("vpc") if found.owned}
    if "vpc" not in seen.found:
        return
    for kind in ("subnet", "internet_gateway", "route_table", "security_group", "endpoint"):
        for found in seen.of(kind):
            if found.owned and found.state.get("vpc") and found.state["vpc"] not in ours:
                found.owned = False


def _leave_other_vpcs(seen: Observed, network: Optional[Network]) -> None:
    """A reference by tags means what has them in the VPC referred to: many VPCs of an account have subnets with ``tier: private``."""
    if network is None or network.existing is None:
        return
    for kind, reference in (("subnet", network.existing.subnets), ("security_group", network.existing.security_groups)):
        inside = [found for found in seen.of(kind) if not found.existing or found.state["vpc"] == seen.id(VPC)]
        if reference.tags and any(found.existing for found in inside):
            seen.found[kind] = inside


def look_closer(reader: Reader, seen: Observed) -> Observed:
    """Read what only some plans need, into ``seen``.

    :raises StackError: an image or a zone is not there.
    """
    intent = reader.intent
    lease.follow_up(reader, seen)
    if not intent.absent:
        _for_creations(reader, seen)
        _for_departures(reader, seen)
    doomed = [(kind, found) for kind in KINDS for found in _doomed(kind, intent, seen)]
    calls: list[Callable[[], Any]] = [lambda kind=kind, found=found: kind.examine(reader, found) for kind, found in doomed]
    subnets = [found for kind, found in doomed if kind.name == "subnet"]
    reader.together(*calls, *([lambda: occupants.look(reader, seen, subnets)] if subnets else []))
    return seen


def _for_creations(reader: Reader, seen: Observed) -> None:
    intent = reader.intent
    pools = intent.stack.pools or ()
    launching = [pool for pool in pools if terms.to_fill(pool, seen)]
    compared = [pool for pool in pools if changing.compared(pool, intent.control.force, seen)]
    shown = [pool for pool in pools if pool.count or pool in compared] if intent.control.check_mode else [*launching, *compared]
    if any(pool.image.ssm for pool in shown):
        reader.clients.prepare(["ssm"])
    calls = []
    if zones_unknown(intent.stack.network, seen) and not seen.zones:
        calls.append(lambda: setattr(seen, "zones", find_zones(reader)))
    if [pool for pool in shown if pool.name not in seen.images]:
        idle = [pool for pool in shown if pool not in launching]
        calls.append(lambda: setattr(seen, "images", find_images(reader, launching, idle)))
    if any(pool.on_change in ("in_place", "replace") for pool in compared):
        reader.together(*calls)  # what changes hangs on the images
        calls = _for_changes(reader, seen, launching)
    else:
        calls.extend(_for_offers(reader, seen, launching))
        calls.extend(_for_limits(reader, seen, launching))
    reader.together(*calls)
    renewed = [pool for pool in pools if pool not in launching and changing.replaced(pool, intent.control.force, seen)]
    power.look(reader, seen, [*launching, *renewed])


def _for_limits(reader: Reader, seen: Observed, launching: list[Pool]) -> list[Callable[[], None]]:
    """The call that reads what bounds these launches, and with it what their types can do, if that is not known yet."""
    if not {pool.name for pool in launching} - seen.limits.pools:
        return []
    asked = preflight.asked(launching, reader.intent, seen)
    reader.clients.prepare(asked.services)

    def read() -> None:
        seen.limits = limits_reading.read(reader.client, asked, reader.scope.region, preflight.role_arn(seen))
        if not isinstance(seen.limits.types, Unknown):
            seen.type_facts.update(seen.limits.types)
            return
        for pool in launching:
            wanted = next((word for word in ("efa", "placement", "interfaces") if getattr(pool, word) not in (False, "none", 1)), None)
            if wanted:
                path, why = f"pools.{pool.name}.{wanted}", seen.limits.types.why
                text = f"{path} is {getattr(pool, wanted)}, and which types have that is not known: {why}"
                raise StackError(text, f"Leave {wanted} out, or mend that", path=path)

    return [read]


def _for_offers(reader: Reader, seen: Observed, pools: list[Pool]) -> list[Callable[[], Any]]:
    """The call that reads what the region has of these pools' types, if that is not known yet."""
    types = sorted({name for pool in pools for name in pool.instance_types})
    markets = {market for pool in pools for market in pool.market}
    if not set(types) - set(seen.market.zones):
        return []
    return [lambda: setattr(seen, "market", capacity.read(reader.client("ec2"), reader.scope.region, types, markets))]


def _for_changes(reader: Reader, seen: Observed, launching: list[Pool]) -> list[Callable[[], Any]]:
    """The calls that read offers, missing images and types for pools that launch something or change what they have.

    :raises StackError: a pool has to be replaced, and its image is not there.
    """
    force, pools = reader.intent.control.force, reader.intent.stack.pools or ()
    renewed = [pool for pool in pools if changing.replaced(pool, force, seen)]
    lacking = [pool for pool in renewed if pool.name not in seen.images]
    if lacking:
        seen.images = {**seen.images, **find_images(reader, lacking)}
    retyped = [pool for pool in pools if changing.changing_type(pool, force, seen)]
    calls = _for_offers(reader, seen, [pool for pool in pools if pool in launching or pool in renewed or pool in retyped])
    calls.extend(_for_limits(reader, seen, [pool for pool in pools if pool in launching or pool in renewed]))
    have = {found.state["instance_type"] for pool in retyped for found in changing.changing_type(pool, force, seen).values()}
    names = have | {name for pool in retyped for name in pool.instance_types}
    if names - set(seen.type_facts):
        calls.append(lambda: seen.type_facts.update(type_facts.read(reader.client("ec2"), names)))
    return calls


def _for_departures(reader: Reader, seen: Observed) -> None:
    """What EC2 protects of those that pools give up. One that is protected leaves its place to the next, which is then asked about."""
    kind, force, pools = BY_NAME["instance"], reader.intent.control.force, reader.intent.stack.pools or ()
    while True:
        unknown = [found for pool in pools for found in value.unexamined(pool, force, seen)]
        if not unknown:
            return
        reader.together(*[lambda found=found: kind.examine(reader, found) for found in unknown])


def _stays(pool: Pool, intent: Intent, seen: Observed) -> list[Found]:
    """The pool's instances that are neither given up nor replaced."""
    force = intent.control.force
    replaced = changing.replaced(pool, force, seen)
    return [found for slot, found in value.staying(pool, force, seen).items() if slot not in replaced]


def _doomed(kind: Kind, intent: Intent, seen: Observed) -> list[Found]:
    """What may be deleted: a superset of what the plan will delete, so that its guards know enough."""
    section = getattr(intent.stack, kind.section)
    if not intent.absent and section is None:
        return []
    owned = [found for found in seen.of(kind.name) if found.owned and not found.existing]
    if intent.absent:
        return owned
    if kind.name == "instance":
        stays = {found.id for pool in intent.stack.pools or () for found in _stays(pool, intent, seen)}
        going = [found for found in owned if found.id not in stays and (intent.prune or kind.surplus(found, intent))]
        return [found for found in going if "protected" not in found.facts]
    if not intent.prune or not isinstance(section, tuple):
        return []
    return [found for found in owned if found.name not in [one.name for one in section]]
