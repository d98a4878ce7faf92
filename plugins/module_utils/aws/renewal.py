# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out what interrupts instances: another type in place, and replacement.

One instance after the other, so that a pool never misses more than one, and after the launches that add to it; a gang at once, which is of
no use without one of its members anyway. The first failure ends it, and what has not begun stays as it is.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.changing import TYPE
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import (
    DENIED,
    EXPIRED,
    INVALID,
    MISSIGNED,
    THROTTLED,
    StackError,
    code_of,
    explain,
    message_of,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.starting import Start
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
    power = change.wish.state.get("power")
    turned_on = power == "running" and "power" in change.fields
    # one that is turned on starts here, as its new type and once
    kind.update(act, dataclasses.replace(change, fields=tuple(word for word in change.fields if word != "power" or not turned_on)))
    found, have, zone = change.found, change.found.state[TYPE], change.found.state["zone"]
    offers = [Offer(name, zone, "on_demand") for name in change.wish.make["targets"]]
    left = [offer for offer in offers if act.search.against(offer) is None]
    if offers and not left:
        raise StackError(f"{_named(change)}: {act.search.against(offers[0])}", "Allow another type, or run again later: it is as it was")
    status, marked = _wait(act, change, ("running", "stopped")), CHANGING in found.tags
    start = status == "running" or turned_on or (marked and power != "stopped")
    if status == "running" and left:
        act.call("ec2", "create_tags", Resources=[found.id], Tags=to_list({CHANGING: left[0].instance_type}))
        marked = True
        act.call("ec2", "stop_instances", InstanceIds=[found.id])
        _wait(act, change, ("stopped",))
    attempt = _Attempt(act, change, start, marked)
    for offer in left or [Offer(have, zone, "on_demand")]:
        if attempt.becomes(offer):
            break
    else:
        raise attempt.taken_back(bool(left))
    attempt.unmark()
    change.after = {**(change.after or {}), TYPE: offer.instance_type}


class _Attempt:
    """A stopped instance on its way to another type.

    :param start: whether it is to run.
    :param marked: whether it has the tag that says so.
    """

    def __init__(self, act: Any, change: Change, start: bool, marked: bool) -> None:
        self.act, self.change, self.start, self.marked = act, change, start, marked
        self.have = self.kind = change.found.state[TYPE]
        self.said: list[str] = []
        self.denied: Optional[StackError] = None  # what EC2 says of the caller, not of the type

    def becomes(self, offer: Offer) -> bool:
        """Whether it has that type now, and runs if it is to; else ``said`` has EC2's code."""
        code = ""
        if offer.instance_type != self.kind:
            try:
                _modify(self.act, self.change, offer.instance_type)
                self.kind = offer.instance_type
            except Exception as error:
                code = refusal(error)
                if not code:
                    raise
                self.act.search.failed(offer, code, message_of(error))
                if code in DENIED:
                    self.denied = explain(error, "ec2:ModifyInstanceAttribute")
        if not code and self.start:
            code = _started(self.act, self.change, offer)
        if code:
            self.said.append(f"{offer.instance_type}: {code}")
        return not code

    def taken_back(self, changed: bool) -> StackError:
        """The failure to raise, once the instance has its old type again and runs as it did, if EC2 can still start that.

        :param changed: whether it was to get another type, and not only to be started.
        """
        if self.kind != self.have:
            _modify(self.act, self.change, self.have)
        code = "" if changed else self.said[-1]
        if changed and self.start:
            code = _started(self.act, self.change, Offer(self.have, self.change.found.state["zone"], "on_demand"))
        if code:
            now = f"it is stopped as {self.have}, which does not start either ({code})"
        else:
            self.unmark()
            now = f"it runs as {self.have} again" if self.start else f"it is stopped as {self.have}, as it was"
        if self.denied is not None:
            self.denied.text = f"{_named(self.change)}: {self.denied.text}; {now}"
            return self.denied
        wrong = "does not start with" if self.start else "does not become"
        text = f"{_named(self.change)} {wrong} another type ({'; '.join(self.said)}): {now}"
        return StackError(text, "Allow another type, or run again later")

    def unmark(self) -> None:
        if self.marked:
            self.act.call("ec2", "delete_tags", Resources=[self.change.found.id], Tags=[{"Key": CHANGING}])


def refusal(error: BaseException) -> str:
    """EC2's code where it refuses a request for what it asks, or for who asks; nothing where another try may do. Pure."""
    code, answer = code_of(error), getattr(error, "response", None) or {}
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    passing = THROTTLED | EXPIRED | INVALID | MISSIGNED  # with these nothing can be started either
    return code if decided(code) or (400 <= status < 500 and code not in passing) else ""


def _modify(act: Any, change: Change, name: str) -> None:
    act.call("ec2", "modify_instance_attribute", InstanceId=change.found.id, InstanceType={"Value": name})


def _started(act: Any, change: Change, offer: Offer) -> str:
    """Start it; nothing once it runs, else EC2's code for what keeps it from that."""
    try:
        act.call("ec2", "start_instances", InstanceIds=[change.found.id])
    except Exception as error:
        if not decided(code_of(error)):
            raise
        act.search.failed(offer, code_of(error), message_of(error))
        return code_of(error)
    start, refused = Start(), []

    def done(raw: dict[str, Any]) -> bool:
        reason = start.refused(raw)
        if reason is not None:
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
