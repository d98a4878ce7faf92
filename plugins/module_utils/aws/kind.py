# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What every kind of resource answers: observe (reads), wish (pure) and create, update, delete (writes).

The engine knows nothing else about a kind, so a new one is a new file and one line in ``stack/kinds.py``.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import scope_filters, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope, Stack


class Reader:
    """Where kinds read. ``everything`` is true when all that belongs to the stack has to be found, declared or not."""

    def __init__(self, clients: Any, intent: Intent, account_id: str, partition: str, everything: bool = False) -> None:
        self.clients = clients
        self.intent = intent
        self.account_id = account_id
        self.partition = partition
        self.everything = everything or intent.absent

    @property
    def stack(self) -> Stack:
        return self.intent.stack

    @property
    def scope(self) -> Scope:
        return self.intent.scope

    @property
    def complete(self) -> bool:
        """Whether undeclared resources of a given section have to be found as well."""
        return self.everything or self.intent.prune

    def client(self, service: str) -> Any:
        return self.clients.get(service)

    def filters(self) -> list[dict[str, Any]]:
        return scope_filters(self.scope)

    def pages(self, service: str, operation: str, result: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a paginated operation."""
        return list(self.client(service).get_paginator(operation).paginate(**params).search(f"{result}[]"))

    @staticmethod
    def together(*calls: Callable[[], Any]) -> list[Any]:
        """The results of independent reads in the order given, made at the same time."""
        if len(calls) < 2:
            return [call() for call in calls]
        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]


def unless(codes: Any, call: Callable[[], Any], otherwise: Any = None) -> Any:
    """The call's result, or ``otherwise`` when AWS answers with one of the codes: that something is not there is no error when reading."""
    try:
        return call()
    except Exception as error:
        if code_of(error) in codes:
            return otherwise
        raise


class Kind:
    """One kind of resource; subclasses are stateless."""

    name = ""
    section = ""  # the declaration's section that it comes from
    service = "ec2"
    needs: tuple[str, ...] = ()  # kinds that have to be there before, and can only go after
    immutable: tuple[str, ...] = ()  # state words that cannot change on the resource
    replaceable = False  # whether a change of those may be carried out by making it anew
    transient = False  # lives as long as what it is needed for: what is left of it goes without being asked for
    batched = False  # create_all and delete_all take all changes at once

    def observe(self, reader: Reader) -> list[Found]:
        """All resources of this kind that the declaration refers to or that claim to be the stack's."""
        raise NotImplementedError

    def asked(self, intent: Intent) -> bool:
        """Whether a given section has anything of this kind: what it has nothing of is not read. Pure."""
        return True

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        """What the declaration wants of this kind. Pure."""
        raise NotImplementedError

    def aside(self, intent: Intent, seen: Observed) -> list[Change]:
        """Lines about what is declared and not made now. Pure."""
        return []

    def refused(self, change: Change, intent: Intent, seen: Observed) -> str:
        """Why an update must not be carried out, or nothing. Pure."""
        return ""

    def surplus(self, found: Found, intent: Intent) -> bool:
        """Whether an undeclared resource goes even without ``prune``. Pure."""
        return False

    def parting(self, found: Found, intent: Intent, seen: Observed) -> str:
        """Why this one goes, where the declaration does not name single ones. Pure."""
        return ""

    def settle(self, change: Change, intent: Intent, seen: Observed) -> Change:
        """The change of a wish, with what the kind itself decides about it. Pure."""
        return change

    def ending(self, change: Change, seen: Observed) -> str:
        """Why an update ends the resource, as a deletion would; nothing where it does not. Pure."""
        return ""

    def same(self, word: str, want: Any, have: Any) -> bool:
        return canonical(want) == canonical(have)

    def note(self, found: Found, wish: Wish, seen: Observed) -> str:
        """What is worth saying about a resource that stays as it is. Pure."""
        return ""

    def guard(self, found: Found, intent: Intent) -> str:
        """Why a resource must not be deleted, or nothing. Pure; relies on what ``examine`` found."""
        return ""

    def leaves(self, found: Found) -> str:
        """What stays behind when it is deleted, or nothing. Pure."""
        return ""

    def examine(self, reader: Reader, found: Found) -> None:
        """Read what ``guard`` needs to know about a resource that is to be deleted, into its facts."""

    def careful(self, change: Change) -> bool:
        """For batched kinds: whether it interrupts what is there, so that it comes after what is added, in ``renew_all``. Pure."""
        return False

    def renew_all(self, act: Any, changes: list[Change]) -> None:
        """For batched kinds: all such changes."""
        raise NotImplementedError

    def create_all(self, act: Any, changes: list[Change]) -> None:
        """For batched kinds; tells ``act`` all ids itself."""
        raise NotImplementedError

    def delete_all(self, act: Any, changes: list[Change]) -> None:
        raise NotImplementedError

    def create(self, act: Any, change: Change) -> str:
        """Make it and return its id."""
        raise NotImplementedError

    def update(self, act: Any, change: Change) -> None:
        """Bring ``change.fields`` and ``change.tags`` to what is wished."""
        raise NotImplementedError

    def delete(self, act: Any, change: Change) -> None:
        raise NotImplementedError


class Ec2Kind(Kind):
    """What the EC2 kinds have in common."""

    def retag(self, act: Any, change: Change) -> None:
        if change.tags:
            act.call("ec2", "create_tags", Resources=[change.id], Tags=to_list(change.tags))


def canonical(value: Any) -> Any:
    """The value with lists in a fixed order: in what kinds compare, order never means anything."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return sorted((canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    return value


def label(scope: Scope, suffix: Optional[str] = None) -> str:
    """The Name tag."""
    return f"{scope.prefix}-{suffix}" if suffix else scope.prefix
