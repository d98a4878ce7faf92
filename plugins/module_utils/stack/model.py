# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The words between observing, planning and applying: what was found, what is wished, what will change."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Limits
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope, Stack


class Ref(NamedTuple):
    """Another resource of the stack, by kind and name: it may not exist yet, so it has no id."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass
class Found:
    """A resource that is there. ``state`` has the words that the kind compares, ``facts`` what else is worth knowing."""

    kind: str
    name: str
    id: str
    state: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    owned: bool = False  # tags and provenance say that this stack made it
    existing: bool = False  # the declaration refers to it: read, never written
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Wish:
    """A resource that the declaration wants. ``state`` values may hold Refs; ``make`` is needed to create it and never compared."""

    kind: str
    name: str
    state: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    make: dict[str, Any] = field(default_factory=dict)
    existing: bool = False
    path: str = ""  # where the declaration says so, for messages
    adopts: Optional[Found] = None  # somebody else's resource that the declaration makes the stack's


@dataclass
class Change:
    """One line of a plan. ``fields`` are the state words that differ, ``tags`` the tags to set, ``drop`` those to remove."""

    kind: str
    name: str
    action: str  # create | adopt | update | replace | delete | keep | foreign | blocked
    reason: str = ""
    before: Optional[dict[str, Any]] = None
    after: Optional[dict[str, Any]] = None
    id: Optional[str] = None
    wish: Optional[Wish] = None
    found: Optional[Found] = None
    fields: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def acts(self) -> bool:
        """Whether carrying it out writes."""
        return self.action in ("create", "adopt", "update", "replace", "delete")

    def public(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "reason": self.reason,
            "before": self.before,
            "after": self.after,
            "id": self.id,
        }


@dataclass
class ImageFacts:
    """An AMI as DescribeImages shows it; sizes in GiB."""

    id: str
    name: str = ""
    root_device: str = "/dev/xvda"
    root_gib: int = 0
    architecture: str = "x86_64"
    devices: tuple[str, ...] = ()  # of all its volumes


@dataclass
class Observed:
    """All that was read before planning. ``found`` has a key for each kind that was read."""

    account_id: str
    partition: str
    region: str
    found: dict[str, list[Found]] = field(default_factory=dict)
    zones: tuple[str, ...] = ()  # available zones, read only when a subnet has to find one
    images: dict[str, ImageFacts] = field(default_factory=dict)  # by pool
    market: Market = Market({}, {})  # what the region has of the types that are to be launched
    limits: Limits = Limits()  # of the account, for what is to be launched
    type_facts: dict[str, TypeFacts] = field(default_factory=dict)  # of types that are launched, or that an instance changes from and to
    now: int = field(default_factory=lambda: int(time.time()))  # when it was read (epoch): leases begin then

    def of(self, kind: str) -> list[Found]:
        return self.found.get(kind, [])

    def get(self, kind: str, name: str) -> Optional[Found]:
        """The resource of that name that this stack owns or refers to."""
        for found in self.of(kind):
            if found.name == name and (found.owned or found.existing):
                return found
        return None

    def id(self, ref: Ref) -> Optional[str]:
        found = self.get(ref.kind, ref.name)
        return found.id if found else None


@dataclass(frozen=True)
class Intent:
    """What planning works from besides what was observed."""

    stack: Stack
    control: Control

    @property
    def scope(self) -> Scope:
        return self.stack.scope

    @property
    def absent(self) -> bool:
        return self.control.state == "absent"

    @property
    def prune(self) -> bool:
        return self.control.prune


def resolve(value: Any, ids: Any) -> Any:
    """The value with each Ref replaced by its id where ``ids(ref)`` knows one."""
    if isinstance(value, Ref):
        known = ids(value)
        return value if known is None else known
    if isinstance(value, dict):
        return {key: resolve(item, ids) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, ids) for item in value]
    return value


def plain(value: Any) -> Any:
    """The value as JSON can carry it: Refs by their names."""
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
