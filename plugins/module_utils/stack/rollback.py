# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a run that failed takes back: what it added. What stands where something of the stack's stood before stays. Pure.

A run that replaces an instance ends the old one first, so to take its successor back would leave the slot with none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.terms import EXPIRES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.apply import kinds_before
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import epoch
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import BY_NAME
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Observed, Ref

_FOR_INSTANCES = {*kinds_before(BY_NAME["instance"]), "lease", "placement_group"}


class Before(NamedTuple):
    """What there was: (kind, id) of all that was seen, (kind, name) of what was the stack's own."""

    ids: frozenset[tuple[str, str]]
    names: frozenset[tuple[str, str]]


class Begun(NamedTuple):
    """What a run has begun to make. A run reads only what it declares, so what it has not seen may have been there all the same.

    ``names``: (kind, name). ``pools``: those that it launched for, of which all is read; an instance that just began has no slot yet.
    ``spot``: whether by fleets, whose templates have no line in a plan.
    """

    names: frozenset[tuple[str, str]]
    pools: frozenset[str]
    spot: bool

    def made(self, change: Change, fresh: frozenset[str]) -> bool:
        """Whether a line of the removal is about something that the run can have made.

        :param fresh: ids of the instances that it launched.
        """
        if change.kind == "instance":
            return change.id in fresh
        if change.kind == "schedule" and change.found.facts["instance"] in fresh:
            return True
        return (change.kind, change.name) in self.names or (self.spot and change.kind == "launch_template")


def begun(changes: Iterable[Change]) -> Begun:
    """:param changes: those that the run began to carry out, finished or not."""
    making = [change for change in changes if change.action in ("create", "replace", "pending") and change.wish is not None]
    pools = [change.wish.make["pool"] for change in making if change.kind == "instance"]
    return Begun(
        frozenset((change.kind, change.name) for change in making),
        frozenset(pool.name for pool in pools),
        any("spot" in pool.market for pool in pools),
    )


class Split(NamedTuple):
    """``going`` is to be deleted; ``kept`` stands where something stood before; ``left`` was added and stays all the same, with why.

    ``hidden``, with their ids, was made and is not listed, so nothing can be said of it.
    """

    going: list[Change]
    kept: list[Change]
    left: list[tuple[Change, str]]
    hidden: list[tuple[Change, str]] = []

    def told(self) -> dict[str, Any]:
        """For the result of a run whose rollback has come to its end."""
        said: dict[str, Any] = {"rollback": "incomplete" if self.left or self.hidden else "complete"}
        said["rolled_back"] = [taken_back(change) for change in self.going]
        if self.kept:
            said["rollback_kept"] = [f"{change.kind} {change.name} ({change.id}): it replaces what was there" for change in self.kept]
        left = [f"{change.kind} {change.name} ({change.id}): {why}" for change, why in self.left]
        left += [f"{change.kind} {change.name} ({id}): AWS does not list it yet; run again" for change, id in self.hidden]
        if left:
            said["rollback_left"] = left
        return said


def taken_back(change: Change) -> str:
    """A deletion, with what it leaves behind."""
    return "; ".join(filter(None, (f"{change.kind} {change.name}", BY_NAME[change.kind].leaves(change.found))))


def before(seen: Observed) -> Before:
    """To be asked before anything is carried out: a replacement disowns what it has ended."""
    listed = [(kind, found) for kind, all_found in seen.found.items() for found in all_found]
    return Before(
        frozenset((kind, found.id) for kind, found in listed),
        frozenset((kind, found.name) for kind, found in listed if found.owned and not found.existing),
    )


def unlisted(there: Before, changes: Iterable[Change], ids: Mapping[Ref, str], seen: Observed) -> list[tuple[Change, str]]:
    """What the run knows to have made and AWS does not list (yet), with the ids: a removal would not see it.

    :param changes: those that the run began to carry out.
    :param ids: what there is by name, as far as the run knows.
    """
    # One without an id was handed on, as the end of an instance that is launched later in the run.
    made = [(change, ids.get(Ref(change.kind, change.name))) for change in changes if change.action in ("create", "replace")]
    listed = there.ids | {(kind, found.id) for kind, all_found in seen.found.items() for found in all_found}
    return [(change, id) for change, id in made if id and (change.kind, id) not in listed]


def split(there: Before, run: Begun, changes: Iterable[Change], hidden: Iterable[tuple[Change, str]] = ()) -> Split:
    """:param changes: the plan of the whole stack's removal, after the failure.
    :param hidden: see ``unlisted``; what instances need stays for one of them.
    """
    fresh = [change for change in changes if change.action in ("delete", "blocked") and (change.kind, change.id) not in there.ids]
    launched = frozenset(change.id for change in fresh if change.kind == "instance" and change.found.facts["pool"] in run.pools)
    fresh = [change for change in fresh if run.made(change, launched)]
    kept = [change for change in fresh if (change.kind, change.name) in there.names]
    added = [change for change in fresh if (change.kind, change.name) not in there.names]
    blocked = [(change, change.reason) for change in added if change.action == "blocked"]
    instances = [change for change in [*kept, *(change for change, _why in blocked)] if change.kind == "instance"]
    unseen = [change.name for change, _id in hidden if change.kind == "instance"]
    going, used = [], []
    for change in added:
        if change.action == "delete" and (_used(change, instances) or (unseen and change.kind in _FOR_INSTANCES)):
            used.append((change, f"{', '.join([one.name for one in instances] + unseen)} may need it"))
        elif change.action == "delete":
            going.append(change)
    return Split(going, kept, [*blocked, *used], list(hidden))


def leases(handed: Iterable[Change], going: Iterable[Change]) -> list[tuple[Change, list[int]]]:
    """Records of leases that stay, with the slots whose instances have gone: the lease that this run began of them has not.

    :param handed: the changes of records that the run carried out.
    """
    gone: dict[str, list[int]] = {}
    removed = set()
    for change in going:
        if change.kind == "instance" and change.found.facts["slot"] is not None:
            gone.setdefault(change.found.facts["pool"], []).append(change.found.facts["slot"])
        removed.add((change.kind, change.name))
    kept = [change for change in handed if change.id and (change.kind, change.name) not in removed]
    return [(change, gone[change.name]) for change in kept if change.name in gone]


def ends(begun_changes: Iterable[Change], now: int) -> list[Change]:
    """The instances that were there before and got another end. Not those whose old end has passed: it would end them now."""
    moved = [change for change in begun_changes if change.kind == "instance" and change.action in ("adopt", "update")]
    moved = [change for change in moved if EXPIRES in change.tags]
    return [change for change in moved if (epoch(change.found.tags.get(EXPIRES)) or now + 1) > now]


def _used(change: Change, instances: list[Change]) -> bool:
    """Whether one of the instances that stay may need it: its network, its role, its end. What cannot be known counts as needed."""
    if change.kind == "schedule":
        return change.found.facts["instance"] in [one.id for one in instances]
    if change.kind == "lease":
        return change.name in [one.found.facts["pool"] for one in instances]
    if change.kind == "placement_group":
        return change.name in [one.found.facts.get("placement_group") for one in instances]
    return bool(instances) and change.kind in _FOR_INSTANCES
