# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a pool's ``on_change`` does about instances that the declaration has left behind. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch, launch_drift, placing, terms, value
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import CHANGING
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import in_order, offers
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Observed, plain
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool

TYPE = "instance_type"
_ADOPTED = "an instance that adopt names is not replaced"


def compared(pool: Pool, force: Collection[str], seen: Observed) -> bool:
    """Whether something hangs on what an instance of the pool has and a new one would not: then the pool's image has to be known."""
    there = len(placing.alive(pool.name, seen))
    return bool(there and pool.on_change != "keep") or bool(pool.count and value.surplus(pool, seen))


def behind(found: Found, pool: Pool, seen: Observed) -> str:
    """In what an instance is outdated, or nothing."""
    return launch.outdated(found.state, pool, seen.images.get(pool.name))


def replaced(pool: Pool, force: Collection[str], seen: Observed) -> dict[int, Found]:
    """Slot → the instance that gets a successor there. A gang is replaced whole; what is to be stopped, or whose lease is over, is not."""
    if pool.on_change != "replace" or pool.power == "stopped":
        return {}
    there, until = value.staying(pool, force, seen), terms.ends(pool, seen)
    there = {slot: found for slot, found in there.items() if until.get(slot, seen.now + 1) > seen.now}
    old = {slot: found for slot, found in there.items() if found.id not in pool.adopt and behind(found, pool, seen)}
    return there if old and pool.together else old


def members(pool: Pool, force: Collection[str], seen: Observed) -> dict[int, Found]:
    """Slot → the instance that the pool has there now, of those that it does not give up; also those that are replaced."""
    return {**value.staying(pool, force, seen), **placing.adopting(pool, seen)}


def changing_type(pool: Pool, force: Collection[str], seen: Observed) -> dict[int, Found]:
    """Slot → the instance whose own type will not do any more and is to become another."""
    if pool.on_change != "in_place":
        return {}
    there = value.staying(pool, force, seen)
    return {slot: found for slot, found in there.items() if found.state[TYPE] not in pool.instance_types}


def settle(change: Change, force: Collection[str], seen: Observed) -> Change:
    """Make of a change that keeps or updates an instance what ``on_change`` wants."""
    pool, found = change.wish.make["pool"], change.found
    if found is None or change.action not in ("keep", "update", "adopt"):
        return change
    said = behind(found, pool, seen)
    if "replaces" in change.wish.make:
        return _replace(change, said, force)
    if pool.on_change == "refuse" and said:
        change.action = "blocked"
        change.reason = f"{said}; on_change is refuse: declare what is there, or set on_change to keep, in_place or replace"
    elif pool.on_change == "replace" and said and found.id in pool.adopt:
        change.reason = "; ".join(one for one in (change.reason, _ADOPTED) if one)
    elif pool.on_change == "in_place":
        _in_place(change, pool, seen)
    return change


def _replace(change: Change, said: str, force: Collection[str]) -> Change:
    pool, found = change.wish.make["pool"], change.found
    change.before, change.after = plain({**found.state}), {**plain(change.wish.state), "tags": change.wish.tags}
    change.fields, change.tags = (), {}
    refused = value.shield(found, force)
    if refused:
        change.action = "blocked"
        hint = f"name it in force: [{found.name}] to replace it all the same"
        change.reason = f"{said or 'its gang is replaced whole'}; {found.id} {refused}; {hint}"
        return change
    change.action = "replace"
    if pool.together:
        risk = "all of the pool end before their successors are launched: without capacity for all of them there are none"
    else:
        risk = "it ends before its successor is launched: without capacity its slot stays empty, and the others stay as they are"
    change.reason = "; ".join(filter(None, (said or "its gang is replaced whole", risk, launch_drift.staying(found.facts))))
    return change


def _in_place(change: Change, pool: Pool, seen: Observed) -> None:
    """A change of type as an update of that one word; what cannot be done is blocked, an old image only told."""
    found, status = change.found, change.found.facts.get("status", "running")
    have = found.state[TYPE]
    if have in pool.instance_types:
        if CHANGING in found.tags and change.action != "adopt":
            ending = "stays stopped" if pool.power == "stopped" else "is started if it is stopped"
            _update(change, have, f"an earlier run made it a {have} and did not get to its end: it {ending}")
            change.wish.make["targets"] = ()
        elif behind(found, pool, seen):
            change.reason = "; ".join(one for one in (change.reason, "only the type changes in place") if one)
        return
    targets = targets_of(found, pool, seen)
    refused = _unfit(found, pool, status, targets, seen)
    if refused:
        change.action = "blocked"
        change.reason = f"{TYPE} is {have}, and {' or '.join(pool.instance_types)} will do; it cannot change in place: {refused}"
        return
    stays = pool.power == "stopped" or (pool.power == "unmanaged" and status == "stopped" and CHANGING not in found.tags)
    how = "it is stopped and stays so" if stays else "it is stopped and started, and gets another public address if it has one"
    image = behind(found, pool, seen).partition("image_id ")[2].partition(";")[0]
    _update(change, targets[0], f"{TYPE} {have} becomes {targets[0]}: {how}" + (f"; image_id {image}, stays" if image else ""))
    change.wish.make["targets"] = targets


def _update(change: Change, kind: str, reason: str) -> None:
    """Add the type to what the change updates."""
    if change.action == "keep":
        change.action, change.before, change.after = "update", {}, {}
    change.reason = "; ".join(one for one in (reason, change.reason if change.fields or change.tags else "") if one)
    change.before = {**(change.before or {}), TYPE: change.found.state[TYPE]}
    change.after = {**(change.after or {}), TYPE: kind}
    change.fields = (*change.fields, TYPE)
    change.wish.state[TYPE] = kind


def targets_of(found: Found, pool: Pool, seen: Observed) -> tuple[str, ...]:
    """The types that the instance can have instead, in the order in which the pool tries them.

    They have to be on offer in its zone, On-Demand and within the pool's price, for what it is: an instance keeps zone, market and disks.
    """
    wish = placing.capacity_wish(pool, (found.state["zone"],))._replace(markets=("on_demand",))
    known = {name: GPU_TYPES[name] for name in pool.instance_types if name in GPU_TYPES}
    ordered = in_order(offers(wish, seen.market, known)[0], wish, by_price=pool.gpu is not None)
    architecture = found.facts.get("architecture", "x86_64")
    fitting = [one for one in ordered if one.instance_type in seen.type_facts]
    return tuple(one.instance_type for one in fitting if architecture in seen.type_facts[one.instance_type].architectures)


def _unfit(found: Found, pool: Pool, status: str, targets: tuple[str, ...], seen: Observed) -> str:
    """Why the type of an instance cannot change, or nothing.

    An instance has to be stopped for it, which a one-time spot request and a root volume in instance store do not allow, and one that
    was launched into a reservation does not start as another type.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-resize.html
    """
    market, facts = found.facts.get("market", "on_demand"), seen.type_facts.get(found.state[TYPE])
    other = "take it out of adopt to have a new one in its stead" if found.id in pool.adopt else "use on_change: replace"
    if market == "spot":
        return f"EC2 does not stop an instance of a one-time spot request. Instead, {other}"
    if market in ("reservation", "capacity_block"):
        return f"it runs in a {market.replace('_', ' ')}, which is for its type. Instead, {other}"
    if found.facts.get("root", "ebs") != "ebs":
        return f"its root volume is in instance store, so that it cannot be stopped. Instead, {other}"
    if status not in ("stopping", "stopped") and pool.data_loss != "accepted" and (facts is None or facts.instance_store):
        size = f"{facts.instance_store_gib} GiB of" if facts is not None else "perhaps"
        return f"it has {size} instance store, and what is there is lost with a stop. Set data_loss: accepted, or {other}"
    if not targets:
        where = f"{found.state['zone']}, On-Demand, for {found.facts.get('architecture', 'x86_64')}"
        return f"none of these is on offer in {where} within the pool's bounds. Allow another type, or {other}"
    return ""
