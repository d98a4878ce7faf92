# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out a plan: what depends on nothing unfinished runs at the same time, launches come last, deletions in the reverse order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.act import Act
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import ambiguous, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import BY_NAME, KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Ref, resolve

_WORKERS = 12
_CREATION_ATTEMPTS = 3
_ALREADY = (
    "EntityAlreadyExists",
    "ParameterAlreadyExists",
    "InvalidKeyPair.Duplicate",
    "RepositoryAlreadyExistsException",
    "InvalidGroup.Duplicate",
    "InvalidSubnet.Conflict",
    "InvalidPlacementGroup.Duplicate",
)
_GONE = (
    "NoSuchEntity",
    "NoSuchBucket",
    "RepositoryNotFoundException",
    "NatGatewayNotFound",
    "InvalidVpcID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidGroup.NotFound",
    "InvalidInternetGatewayID.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidAllocationID.NotFound",
    "InvalidKeyPair.NotFound",
    "InvalidVpcEndpointId.NotFound",
    "InvalidVpcEndpoint.NotFound",
    "InvalidInstanceID.NotFound",
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateName.NotFoundException",
    "InvalidPlacementGroup.Unknown",
)


#: What taking something away answers when it is away already: a repetition of a request whose first answer was lost.
_UNDONE = (
    *_GONE,
    "InvalidPermission.NotFound",
    "InvalidAssociationID.NotFound",
    "InvalidRoute.NotFound",
    "Gateway.NotAttached",
    "LifecyclePolicyNotFoundException",
    "InvalidLaunchTemplateName.NotFoundException",
    "InvalidLaunchTemplateId.NotFound",
)


class Unit:
    """Changes that are carried out together: one, or all launches (or endings) of the run."""

    def __init__(self, kind: Kind, changes: list[Change]) -> None:
        self.kind = kind
        self.changes = changes
        self.deletes = changes[0].action == "delete"
        self.careful = kind.batched and kind.careful(changes[0])


def units(changes: Iterable[Change]) -> list[Unit]:
    made: list[Unit] = []
    for kind in KINDS:
        mine = [change for change in changes if change.kind == kind.name and change.acts]
        if not kind.batched:
            made.extend(Unit(kind, [change]) for change in mine)
            continue
        careful = [change for change in mine if kind.careful(change)]
        if careful:
            made.append(Unit(kind, careful))
        mine = [change for change in mine if not kind.careful(change)]
        for action in ("create", "delete"):
            together = [change for change in mine if change.action == action]
            if together:
                made.append(Unit(kind, together))
        made.extend(Unit(kind, [change]) for change in mine if change.action in ("update", "adopt"))
    return made


def ready(unit: Unit, unfinished: Iterable[Unit]) -> bool:
    """Whether nothing unfinished has to come before. Deletions wait for all else, and for deletions of what needs them."""
    for other in unfinished:
        if other is unit:
            continue
        if unit.deletes and (not other.deletes or unit.kind.name in kinds_before(other.kind)):
            return False
        if not unit.deletes and not other.deletes and (other.kind.name in unit.kind.needs or _turn(other) < _turn(unit)):
            return False
    return True


def _turn(unit: Unit) -> int:
    """Launches come after all that is made, and what interrupts instances comes after launches."""
    if unit.careful:
        return 2
    return 1 if unit.kind.batched and unit.changes[0].action == "create" else 0


def kinds_before(kind: Kind) -> set[str]:
    """All kinds that have to be there before one of this kind, directly or not."""
    found: set[str] = set()
    for name in kind.needs:
        found |= {name} | kinds_before(BY_NAME[name])
    return found


def carry_out(act: Act, changes: Iterable[Change], done: Optional[Callable[[Change], None]] = None) -> None:
    """:raises Exception: the first failure, after all that had begun has ended; nothing new begins after it."""
    waiting = units(changes)
    running: dict[Future[Any], Unit] = {}
    failure: Optional[BaseException] = None
    with ThreadPoolExecutor(_WORKERS) as pool:
        while waiting or running:
            if failure is None:
                unfinished = waiting + list(running.values())
                for unit in [unit for unit in waiting if ready(unit, unfinished)]:
                    waiting.remove(unit)
                    act.begun.extend(unit.changes)
                    running[pool.submit(_carry_out, act, unit)] = unit
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                unit = running.pop(future)
                error = future.exception()
                if error is not None:
                    failure = failure or error
                elif done is not None:
                    for change in unit.changes:
                        done(change)
    if failure is not None:
        raise failure


def _carry_out(act: Act, unit: Unit) -> None:
    if unit.careful:
        unit.kind.renew_all(act, unit.changes)
        act.made.add(unit.kind.name)
        return
    if unit.kind.batched and unit.changes[0].action not in ("update", "adopt"):
        (unit.kind.delete_all if unit.deletes else unit.kind.create_all)(act, unit.changes)
        (act.removed if unit.deletes else act.made).add(unit.kind.name)
        return
    change = unit.changes[0]
    if change.action in ("update", "adopt"):
        _update(act, unit.kind, change)
    elif change.action == "delete":
        _delete(act, unit.kind, change)
    else:
        if change.action == "replace":
            _delete(act, unit.kind, change)
            act.ids.pop(Ref(change.kind, change.name), None)
        _create(act, unit.kind, change)


def _update(act: Act, kind: Kind, change: Change) -> None:
    try:
        kind.update(act, change)
    except Exception as error:
        found = _look(act, kind, change.name) if ambiguous(error) or code_of(error) in _UNDONE else None
        if found is None:
            raise
        _finish(act, kind, change, found)


def _delete(act: Act, kind: Kind, change: Change) -> None:
    """Delete, and after a failure that may have taken effect look what is left of it before the rest is done."""
    try:
        kind.delete(act, change)
    except Exception as error:
        if not ambiguous(error) and code_of(error) not in _UNDONE:
            raise
        found = _look(act, kind, change.name)
        if found is not None and found.id == change.id:
            found.facts = {**change.found.facts, **found.facts}
            _delete_rest(act, kind, dataclasses.replace(change, found=found))
    act.removed.add(kind.name)


def _delete_rest(act: Act, kind: Kind, change: Change) -> None:
    try:
        kind.delete(act, change)
    except Exception as error:
        if code_of(error) not in _GONE:
            raise


def _create(act: Act, kind: Kind, change: Change) -> None:
    """Create, and after a failure that may have taken effect look what is there before anything is made a second time."""
    for attempt in range(1, _CREATION_ATTEMPTS + 1):
        try:
            change.id = kind.create(act, change)
            break
        except Exception as error:
            unknown = ambiguous(error) or (attempt > 1 and code_of(error) in _ALREADY)
            if not unknown or attempt == _CREATION_ATTEMPTS:
                raise
            found = _look(act, kind, change.name)
            if found is not None:
                _finish(act, kind, change, found)
                break
    act.made.add(kind.name)
    act.ids[Ref(kind.name, change.name)] = change.id


def _look(act: Act, kind: Kind, name: str) -> Optional[Found]:
    return next((found for found in kind.observe(act.reader) if found.owned and found.name == name), None)


def _finish(act: Act, kind: Kind, change: Change, found: Found) -> None:
    """A write that took effect without saying so: do what was to follow it."""
    wish = change.wish
    act.made.add(kind.name)
    state = resolve(wish.state, act.id)
    fields = tuple(word for word in state if word in found.state and not kind.same(word, state[word], found.state[word]))
    tags = {key: value for key, value in wish.tags.items() if found.tags.get(key) != value}
    change.id = found.id
    if found.facts.get("uri"):
        act.tell(change, uri=found.facts["uri"])
    if fields or tags:
        kind.update(act, Change(kind.name, change.name, "update", id=found.id, wish=wish, found=found, fields=fields, tags=tags))
