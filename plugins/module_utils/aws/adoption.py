# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Instances that somebody else launched and that a pool's ``adopt`` names.

Tags can be copied, so they prove nothing; here the provenance is the declaration itself: an instance with this stack's tags is its own for
as long as ``adopt`` names it, and foreign afterwards.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import placing
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.role import name_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.security_group import groups_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import ENVIRONMENT, SLOT, STACK, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool, Stack

_VALUES = 200  # as many as a filter takes
_USABLE = ("running", "stopped")
_GROUP = "aws:autoscaling:groupName"  # Amazon EC2 Auto Scaling user guide, tags that it sets


def named(stack: Stack) -> dict[str, str]:
    """Instance id → the pool that adopts it."""
    return {one: pool.name for pool in stack.pools or () for one in pool.adopt}


def read(reader: Reader, raws: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The instances that are named and are not among those found by their tags: none is read once all are adopted."""
    known = {raw["InstanceId"] for raw in raws}
    unknown = [one for one in named(reader.stack) if one not in known] if not reader.intent.absent else []
    found = []
    for start in range(0, len(unknown), _VALUES):  # a filter, since an unknown id is an error as a parameter
        filters = [{"Name": "instance-id", "Values": unknown[start : start + _VALUES]}]
        pages = reader.pages("ec2", "describe_instances", "Reservations", Filters=filters)
        found += [raw for one in pages for raw in one["Instances"]]
    return found


def judge(found: Found, raw: dict[str, Any], claimed: bool, pool: Optional[str], taken: set[str]) -> None:
    """Decide for one instance that was found whether it is adopted, is to be, or neither.

    :param pool: the one that names it.
    :param taken: names of the slots of the instances that the stack owns, those it launched before those it adopted.
    """
    if pool is None or found.owned or "ended" in found.facts:
        return
    if claimed and found.facts["pool"] == pool and found.facts["slot"] is not None and found.name not in taken:
        found.owned = True
        return
    found.name = found.id
    found.facts.update(
        adopt=pool,
        unrelated=True,  # the plan has one line for it, that of its adoption
        launch={
            "subnet": raw.get("SubnetId"),
            "key": raw.get("KeyName"),
            "profile": (raw.get("IamInstanceProfile") or {}).get("Arn", "").rpartition("/")[2] or None,
            "groups": sorted(group["GroupId"] for group in raw.get("SecurityGroups") or []),
        },
    )


def wishes(pool: Pool, intent: Intent, seen: Observed, tags: Callable[[int], dict[str, str]], state: dict[str, Any]) -> list[Wish]:
    """One for each instance that the pool adopts in this run.

    :param tags: of the instance in a slot.
    :raises StackError: one of those that it names cannot be had.
    """
    _check(pool, intent, seen)
    made = []
    for slot, found in placing.adopting(pool, seen).items():
        told = {**tags(slot), SLOT: str(slot)}
        make = {"pool": pool, "slot": slot, "told": _differences(found, pool, intent, seen)}
        made.append(Wish("instance", f"{pool.name}-{slot}", {**state}, told, make, path=f"pools.{pool.name}.adopt", adopts=found))
    return made


def _check(pool: Pool, intent: Intent, seen: Observed) -> None:
    by_id = {found.id: found for found in seen.of("instance")}
    for one in pool.adopt:
        wrong = _unfit(one, by_id.get(one), pool, intent, seen)
        if wrong:
            raise StackError(f"pools.{pool.name}.adopt has {one}: {wrong[0]}", wrong[1], path=f"pools.{pool.name}.adopt")
    there, new = placing.alive(pool.name, seen), placing.adopting(pool, seen)
    if new and len(there) + len(new) > pool.count:
        first = next(iter(new.values())).id
        raise StackError(
            f"pools.{pool.name}.adopt has {first}: count is {pool.count}, and {len(there)} instances are there that it does not replace",
            f"Set count to {len(there) + len(new)}",
            path=f"pools.{pool.name}.adopt",
        )
    zones = sorted({found.state["zone"] for found in (*there.values(), *new.values())})
    if pool.together and new and len(zones) > 1:
        first = next(iter(new.values())).id
        text = f"pools.{pool.name}.adopt has {first}: the pool is in one zone (spread is false), and with it in {', '.join(zones)}"
        raise StackError(text, "Adopt instances of one zone, or set spread: true", path=f"pools.{pool.name}.adopt")


def _unfit(one: str, found: Optional[Found], pool: Pool, intent: Intent, seen: Observed) -> Optional[tuple[str, str]]:
    """(what is wrong, what to do) with an instance that the pool names; None for one that it has or can have."""
    if found is None:
        hint = "Check the id and the region; leave it out of adopt if it was terminated"
        return f"{seen.region} of account {seen.account_id} has no such instance", hint
    if "ended" in found.facts:
        return f"it is {found.facts['status']}", "Leave it out of adopt: the pool then launches one in its place"
    if found.owned and found.facts["pool"] == pool.name:
        return None
    if found.owned:
        return f"it is {found.name} of this stack already", "Leave it out of adopt"
    stack, environment = found.tags.get(STACK), found.tags.get(ENVIRONMENT)
    if (stack or environment) and (stack, environment) != (intent.scope.stack, intent.scope.environment):
        hint = "Remove it there and take off its mlinfra: tags, if that stack is to give it up"
        return f"its tags say that it belongs to the stack {stack} in {environment}", hint
    if _GROUP in found.tags:
        hint = "Detach it from the group"
        return f"it belongs to the Auto Scaling group {found.tags[_GROUP]}, which would replace it", hint
    if found.facts["status"] not in _USABLE:
        return f"it is {found.facts['status']}", "Run again when it is running or stopped"
    have = found.state["instance_type"]
    if have not in pool.instance_types:
        return f"it is a {have}, and the pool wants {' or '.join(pool.instance_types)}", (
            f"Adopt it in another pool, or add {have} to instance_types" + (", which take the place of gpu" if pool.gpu else "")
        )
    return _misplaced(found, pool, seen)


def _misplaced(found: Found, pool: Pool, seen: Observed) -> Optional[tuple[str, str]]:
    subnet, zone = found.facts["launch"]["subnet"], found.state["zone"]
    ours = sorted(one.id for one in seen.of("subnet") if one.owned or one.existing)
    if subnet not in ours:
        have = f"the stack's are {', '.join(ours)}" if ours else "the stack has none yet"
        return f"it is in subnet {subnet or 'none'}, and {have}", "Refer to its network as network.existing"
    if (pool.zones and zone not in pool.zones) or zone in pool.exclude_zones:
        bound = f"zones has {', '.join(pool.zones)}" if pool.zones else f"exclude_zones has {zone}"
        return f"it is in {zone}, and {bound}", "Let the pool have its zone"
    return None


def _differences(found: Found, pool: Pool, intent: Intent, seen: Observed) -> str:
    """What it has other than an instance that the pool would launch, beside what the plan compares: told, and left as it is."""
    have, said = found.facts["launch"], []
    key = intent.stack.key.name if intent.stack.key is not None else None
    if key is not None and have["key"] != key:
        said.append(f"its key pair is {have['key'] or 'none'}, not {key}: ssh needs that one's key")
    if intent.stack.identity is not None:
        wanted = intent.stack.identity.existing_instance_profile or name_of(intent.scope)
        if have["profile"] != wanted:
            said.append(f"its instance profile is {have['profile'] or 'none'}, not {wanted}")
    groups = [one for one in map(seen.id, groups_of(pool, intent.stack.network, seen)) if one and one not in have["groups"]]
    if groups:
        said.append(f"it is not in security group {', '.join(groups)}")
    if found.facts.get("market", "on_demand") not in pool.market:
        said.append(f"it is {found.facts['market']}, and market has {', '.join(pool.market)}")
    return "; ".join(said)


def settle(change: Change, note: str) -> Change:
    """The line of an adoption: what is compared and tagged, as an action of its own.

    :param note: what is outdated.
    """
    told = [f"{change.wish.path} names {change.id}", note, change.wish.make["told"]]
    change.action, change.reason = "adopt", "; ".join(one for one in told if one)
    return change


def tag(act: Any, change: Change) -> None:
    """Put the pool's tags on what goes with the instance, and last on the instance: with these it is adopted."""
    for part in change.found.facts["parts"]:
        kind = "volume" if part.startswith("vol-") else "network_interface"
        act.call("ec2", "create_tags", Resources=[part], Tags=to_list({**change.wish.tags, "mlinfra:kind": kind}))
    act.call("ec2", "create_tags", Resources=[change.id], Tags=to_list(change.tags))
