# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out what interrupts instances: another type in place, and replacement.

One instance after the other, so that a pool never misses more than one, and after the launches that add to it; a gang at once, which is of
no use without one of its members anyway. The first failure ends it, and what has not begun stays as it is.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.changing import TYPE
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of, explain, message_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import CHANGING, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import decided
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Ref


def steps(changes: list[Change]) -> list[list[Change]]:
    """What is carried out together, in order. Pure."""
    pools: dict[str, list[Change]] = {}
    for change in sorted(changes, key=lambda one: one.name):
        pools.setdefault(change.wish.make["pool"].name, []).append(change)
    made: list[list[Change]] = []
    for _name, mine in sorted(pools.items()):
        made.extend([mine] if mine[0].wish.make["pool"].together else [[change] for change in mine])
    return made


def renew_all(kind: Any, act: Any, changes: list[Change]) -> None:
    """:raises StackError: one of them could not be had; the message says what became of it."""
    todo = steps(changes)
    for number, step in enumerate(todo):
        try:
            if step[0].action == "update":
                act.reader.together(*[lambda change=change: _change_type(kind, act, change) for change in step])
            else:
                _replace(kind, act, step)
        except Exception as error:
            failure = explain(error, act.reader.clients.call_of(error))
            failure.details["renewed"] = [change.name for done in todo[:number] for change in done]
            failure.details["not_begun"] = [change.name for left in todo[number + 1 :] for change in left]
            raise failure from error


def _replace(kind: Any, act: Any, step: list[Change]) -> None:
    going = [change for change in step if change.action == "replace"]
    ended = ", ".join(f"{change.name} ({change.found.id})" for change in going)
    kind.delete_all(act, going)
    act.removed.add(kind.name)
    for change in going:
        # the next token of the slot must not be that of the launch whose instance ended here
        change.found.owned, change.found.facts["ended"], change.id = False, True, None
        act.ids.pop(Ref(kind.name, change.name), None)
    try:
        kind.create_all(act, step)
    except Exception as error:
        failure = explain(error, act.reader.clients.call_of(error))
        failure.text = f"{ended} ended to be replaced, and not all of the successors run: {failure.text}"
        raise failure from error
    if any(change.action == "pending" for change in step):
        hint = "Run again: empty slots are filled first"
        raise StackError(f"{ended} ended to be replaced, and there is no capacity for a successor", hint)


def _change_type(kind: Any, act: Any, change: Change) -> None:
    """Stop, change, start: as the first of its targets that EC2 starts, or as what it was.

    A tag says so as long as it is not started, so that a run that dies between leaves the rest to the next one.
    """
    kind.update(act, change)
    found, have, zone = change.found, change.found.state[TYPE], change.found.state["zone"]
    offers = [Offer(name, zone, "on_demand") for name in change.wish.make["targets"]]
    left = [offer for offer in offers if act.search.against(offer) is None]
    if offers and not left:
        raise StackError(f"{_named(change)}: {act.search.against(offers[0])}", "Allow another type, or run again later: it is as it was")
    status = _wait(act, change, ("running", "stopped"))
    start = status == "running" or CHANGING in found.tags
    if status == "running" and left:
        act.call("ec2", "create_tags", Resources=[found.id], Tags=to_list({CHANGING: left[0].instance_type}))
        act.call("ec2", "stop_instances", InstanceIds=[found.id])
        _wait(act, change, ("stopped",))
    said = []
    for offer in left or [Offer(have, zone, "on_demand")]:
        if offer.instance_type != have:
            _modify(act, change, offer.instance_type)
        code = _started(act, change, offer) if start else ""
        if not code:
            break
        said.append(f"{offer.instance_type}: {code}")
    else:
        raise _taken_back(act, change, said, bool(left))
    if start:
        act.call("ec2", "delete_tags", Resources=[found.id], Tags=[{"Key": CHANGING}])
    change.after = {**(change.after or {}), TYPE: offer.instance_type}


def _taken_back(act: Any, change: Change, said: list[str], changed: bool) -> StackError:
    """The failure to raise, once the instance has its old type again and runs, if EC2 can still start that."""
    have = change.found.state[TYPE]
    code = said[-1]
    if changed:
        _modify(act, change, have)
        code = _started(act, change, Offer(have, change.found.state["zone"], "on_demand"))
    if not code:
        act.call("ec2", "delete_tags", Resources=[change.found.id], Tags=[{"Key": CHANGING}])
        now = f"it runs as {have} again"
    else:
        now = f"it is stopped as {have}, which has no capacity either"
    return StackError(
        f"{_named(change)} does not start with another type ({'; '.join(said)}): {now}", "Allow another type, or run again later"
    )


def _modify(act: Any, change: Change, name: str) -> None:
    act.call("ec2", "modify_instance_attribute", InstanceId=change.found.id, InstanceType={"Value": name})


def _started(act: Any, change: Change, offer: Offer) -> str:
    """Start it; nothing once it runs, else EC2's code for the capacity that it does not have."""
    try:
        act.call("ec2", "start_instances", InstanceIds=[change.found.id])
    except Exception as error:
        if not decided(code_of(error)):
            raise
        act.search.failed(offer, code_of(error), message_of(error))
        return code_of(error)
    refused: list[dict[str, str]] = []

    def done(raw: dict[str, Any]) -> bool:
        # accepted, and stopped again for want of capacity: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
        reason = raw.get("StateReason") or {}
        if raw["State"]["Name"] == "stopped" and decided(reason.get("Code", "")):
            refused.append(reason)
        return bool(refused)

    _wait(act, change, ("running",), done)
    if refused:
        act.search.failed(offer, refused[0]["Code"], refused[0].get("Message", ""))
        return refused[0]["Code"]
    act.search.taken(offer)
    return ""


def _wait(act: Any, change: Change, states: tuple[str, ...], otherwise: Any = None) -> str:
    """Until it is in one of the states; which one.

    :raises StackError: it has ended meanwhile, or wait_timeout passed.
    """
    seen: list[str] = []

    def done() -> bool:
        for raw in read_instances(act.reader, [change.found.id]):
            seen.append(raw["State"]["Name"])
            if seen[-1] in ENDED:
                raise StackError(f"{_named(change)} is {seen[-1]}: somebody has ended it", "Run again: its slot is filled anew")
            return seen[-1] in states or (otherwise is not None and otherwise(raw))
        return False

    act.wait(f"{_named(change)} becoming {' or '.join(states)}", done)
    return seen[-1]


def _named(change: Change) -> str:
    return f"{change.name} ({change.found.id})"
