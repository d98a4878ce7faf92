# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where kinds write: one call with its retries for propagation, and what this run made so far."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of, explain, message_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.propagation import CHILDREN, fresh, window
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.search import Search
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Intent, Observed, Ref, resolve
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope


class Act:
    """The state of one applying run. Shared by its threads: each entry is written once, by the thread that made the resource."""

    def __init__(self, reader: Reader, seen: Observed) -> None:
        self.reader = reader
        self.seen = seen
        self.ids: dict[Ref, str] = {}
        for kind, listed in seen.found.items():
            for found in listed:
                if found.owned or found.existing:
                    self.ids.setdefault(Ref(kind, found.name), found.id)
        self.made: set[str] = fresh((found for listed in seen.found.values() for found in listed), seen.now)
        # A removal may go on with what an earlier run left: its instances and gateways may be going still, and hold what they use.
        self.removed: set[str] = set(CHILDREN) if reader.intent.absent else set()
        self.begun: list[Change] = []  # what was carried out or at least tried
        self.facts: dict[Ref, dict[str, Any]] = {}  # what creation told, for outputs
        self.search = Search()  # through the offers of all pools
        self.warnings: list[str] = []
        self.handed: dict[Ref, Change] = {}  # changes of other kinds that launches carry out, or take back for what they could not have
        self.check: Callable[[str], None] = lambda call: None  # raises when this run may not write any more

    @property
    def intent(self) -> Intent:
        return self.reader.intent

    @property
    def scope(self) -> Scope:
        return self.reader.scope

    def id(self, ref: Ref) -> str:
        """:raises StackError: nothing of that name was made or found, which a plan rules out."""
        if ref not in self.ids:
            raise StackError(f"{ref} is needed and is neither there nor planned", "Declare it, or run again")
        return self.ids[ref]

    def resolved(self, value: Any) -> Any:
        """The value with ids for Refs."""
        return resolve(value, self.id)

    def tell(self, change: Change, **facts: Any) -> None:
        """Remember what creation told, so that nothing has to be read again for the outputs."""
        self.facts.setdefault(Ref(change.kind, change.name), {}).update(facts)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One request; repeated while the propagation table says that its dependency is not everywhere yet."""
        client = self.reader.client(service)
        name = client.meta.method_to_api_mapping[operation]
        deadline: Optional[float] = None
        pause = 0.3
        while True:
            self.check(f"{service}:{name}")
            try:
                return getattr(client, operation)(**params)
            except Exception as error:
                allowed = window(f"{service}:{name}", code_of(error), message_of(error), self.made, self.removed)
                if allowed is None:
                    raise
                allowed = min(allowed, self.intent.control.wait_timeout)
                now = time.monotonic()
                deadline = now + allowed if deadline is None else deadline
                if now + pause > deadline:
                    raise explain(error, f"{service}:{name}") from error
            time.sleep(pause)
            pause = min(pause * 1.6, 5.0)

    def wait(self, what: str, done: Callable[[], bool], timeout: Optional[float] = None) -> None:
        """Poll until ``done``: soon at first, then every few seconds.

        :raises StackError: not within ``timeout`` seconds (``wait_timeout`` unless given).
        """
        limit = self.intent.control.wait_timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        pause = 0.3
        while not done():
            if time.monotonic() + pause > deadline:
                raise StackError(f"{what} took longer than wait_timeout, {limit:g} s", "Run again: what was made is found and kept")
            time.sleep(pause)
            pause = min(pause * 1.4, 5.0)
