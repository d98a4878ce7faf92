# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One writer per stack: an SSM parameter that is put without Overwrite, which only one of two runs can do.

Its value says who holds it, since when and until when. A lock that has expired, or whose holder ran on this machine and is dead, is taken
over by writing the parameter's next version: SSM numbers versions one by one, so of two runs that try, only one gets the number after the
one that both saw.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, ambiguous, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import owner_tags, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.holder import is_dead, myself
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope

# Seconds that a run may take besides waiting for instances. Generous, since emptying a large bucket takes hours and a lock that ends under
# its holder lets two runs write. Who died on this machine is told by its process; elsewhere break_lock ends the wait.
MARGIN = 6 * 3600
_POLL = 1.0


class Lock:
    """``with Lock(...)``: held inside."""

    def __init__(self, ssm: Any, scope: Scope, control: Control, owner: str) -> None:
        self.ssm = ssm
        self.scope = scope
        self.control = control
        self.owner = owner
        self.run = uuid.uuid4().hex
        self.waited = False  # another run held it meanwhile, so everything may be different now

    @property
    def name(self) -> str:
        return f"/mlinfra/{self.scope.stack}/{self.scope.environment}/lock"

    def __enter__(self) -> Lock:
        deadline = time.monotonic() + self.control.lock_timeout
        while not self._take():
            if time.monotonic() >= deadline:
                raise self._held()
            self.waited = True
            time.sleep(_POLL)
        return self

    def __exit__(self, *_: Any) -> None:
        """Released also after a failure; a lock that somebody took over meanwhile stays theirs."""
        try:
            value, _version = self._read()
            if value is not None and value.get("run") == self.run:
                self.ssm.delete_parameter(Name=self.name)
        except Exception as error:
            if code_of(error) != "ParameterNotFound" and _[0] is None:
                raise

    def _value(self) -> str:
        now = time.time()
        value = {
            "owner": self.owner,
            "run": self.run,
            "since": now,
            "expires": now + self.control.wait_timeout + MARGIN,
            "holder": myself(),
        }
        return json.dumps(value, sort_keys=True)

    def _take(self) -> bool:
        try:
            tags = to_list(owner_tags(self.scope, "lock", "lock"))
            self.ssm.put_parameter(Name=self.name, Value=self._value(), Type="String", Tags=tags, Description="Held while a run writes")
            return True
        except Exception as error:
            if not ambiguous(error) and code_of(error) != "ParameterAlreadyExists":
                raise
        value, version = self._read()
        if value is None:
            return False  # released in between: the next attempt takes it
        if value.get("run") == self.run:
            return True  # the request that got no answer took effect
        return self._abandoned(value) and self._take_over(version)

    def _abandoned(self, value: dict[str, Any]) -> bool:
        return bool(self.control.break_lock or value.get("expires", 0) <= time.time() or is_dead(value.get("holder")))

    def sweep(self) -> None:
        """Take away a lock that nobody holds any more, by holding it for a moment; one that is held stays."""
        value, version = self._read()
        if value is not None and self._abandoned(value) and self._take_over(version):
            self.__exit__(None, None, None)

    def _take_over(self, seen_version: int) -> bool:
        answer = self.ssm.put_parameter(Name=self.name, Value=self._value(), Type="String", Overwrite=True)
        if answer["Version"] in (seen_version + 1, 1):  # 1: its holder released it meanwhile, so that it was made anew
            self.waited = True
            return True
        winner = self.ssm.get_parameter(Name=f"{self.name}:{seen_version + 1}")["Parameter"]["Value"]
        self.ssm.put_parameter(Name=self.name, Value=winner, Type="String", Overwrite=True)
        return False

    def _read(self) -> tuple[Optional[dict[str, Any]], int]:
        try:
            parameter = self.ssm.get_parameter(Name=self.name)["Parameter"]
        except Exception as error:
            if code_of(error) == "ParameterNotFound":
                return None, 0
            raise
        try:
            value = json.loads(parameter["Value"])
        except ValueError:
            value = {}
        return (value if isinstance(value, dict) else {}), int(parameter["Version"])

    def _held(self) -> StackError:
        value, _version = self._read()
        value = value or {}
        since, until = _moment(value.get("since")), _moment(value.get("expires"))
        waited = f" after {self.control.lock_timeout} s" if self.control.lock_timeout else ""
        return StackError(
            f"the stack {self.scope.prefix} is locked{waited}: {value.get('owner', 'somebody')} holds {self.name} since {since}, "
            f"until {until} at the latest",
            "Wait for that run (lock_timeout: SECONDS waits), or set break_lock: true if it is certainly dead. Nothing was changed",
            lock={"name": self.name, "owner": value.get("owner"), "run": value.get("run"), "since": since, "expires": until},
        )


def owner_of(arn: str) -> str:
    """Who holds a lock, for people: the caller's identity and where it runs."""
    return f"{arn} on {socket.gethostname()} (process {os.getpid()})"


def _moment(seconds: Any) -> str:
    try:
        return datetime.fromtimestamp(float(seconds), timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (TypeError, ValueError, OverflowError):
        return "an unknown time"
