# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One writer per stack: an SSM parameter that is put without Overwrite, which only one of two runs can do.

Its value says who holds it, since when and until when. A run renews its lock for as long as it lasts (renewal.py). A lock that has expired,
or whose holder ran on this machine and is dead, is taken over by writing the parameter's next version: SSM numbers versions one by one, so
of two runs that try, only one gets the number after the one that both saw. The other one puts the winner's value back.
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
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.renewal import LEASE, Renewal
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope

_POLL = 1.0
_ATTEMPTS = 4  # to make a parameter that is not there
_ABSENT = ("ParameterNotFound", "ParameterVersionNotFound")


class Lock:
    """``with Lock(...)``: held inside."""

    def __init__(self, ssm: Any, scope: Scope, control: Control, owner: str) -> None:
        self.ssm = ssm
        self.scope = scope
        self.control = control
        self.owner = owner
        self.run = uuid.uuid4().hex
        self.waited = False  # another run held it meanwhile, so everything may be different now
        self.since = time.time()
        self.version = 0  # of the parameter, as this run wrote it last
        self.renewal = Renewal(self.renew)

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
        self.renewal.start()
        return self

    def check(self, call: str) -> None:
        """:raises StackError: it is not certain any more that no other run writes, so ``call`` must not be made."""
        if not self.renewal.good():
            raise StackError(
                f"the lock {self.name} was lost (another run took it over, or it could not be renewed in time): stopped before {call}",
                "Run again: what was made is found and kept",
                call=call,
            )

    def __exit__(self, *_: Any) -> None:
        """Released also after a failure; a lock that somebody took over meanwhile stays theirs."""
        self.renewal.stop()
        try:
            value, _version = self._read()
            if value is not None and value.get("run") == self.run:
                self.ssm.delete_parameter(Name=self.name)
        except Exception as error:
            if code_of(error) != "ParameterNotFound" and _[0] is None:
                raise

    def _value(self, after: int = 0) -> str:
        """:param after: the version that the writer has seen and means to follow."""
        now = time.time()
        value = {
            "owner": self.owner,
            "run": self.run,
            "since": self.since,
            "expires": now + LEASE,
            "holder": myself(),
            "after": after,
        }
        return json.dumps(value, sort_keys=True)

    def _take(self) -> bool:
        for attempt in range(_ATTEMPTS):
            failure = self._put()
            if failure is None:
                return True
            value, version = self._read()
            if value is not None:
                break
            # Released in between, or the request had no effect.
            self.waited = self.waited or not ambiguous(failure)
            time.sleep(_POLL * attempt / 2)
        else:
            raise failure
        if value.get("run") == self.run:
            self.version = version
            return True  # the request that got no answer took effect
        return self._abandoned(value) and self._take_over(version)

    def _put(self) -> Optional[Exception]:
        """Make the parameter; what speaks against having made it, if that is no plain refusal."""
        tags, text = to_list(owner_tags(self.scope, "lock", "lock")), "Held while a run writes"
        try:
            answer = self.ssm.put_parameter(Name=self.name, Value=self._value(), Type="String", Tags=tags, Description=text)
        except Exception as error:
            if not ambiguous(error) and code_of(error) != "ParameterAlreadyExists":
                raise
            return error
        self.version = int(answer["Version"])
        return None

    def _abandoned(self, value: dict[str, Any]) -> bool:
        return bool(self.control.break_lock or value.get("expires", 0) <= time.time() or is_dead(value.get("holder")))

    def sweep(self) -> None:
        """Take away a lock that nobody holds any more, by holding it for a moment; one that is held stays."""
        value, version = self._read()
        if value is not None and self._abandoned(value) and self._take_over(version):
            self.__exit__(None, None, None)

    def _take_over(self, seen_version: int) -> bool:
        self.version = self._overwrite(self._value(seen_version))
        if self.version in (seen_version + 1, 1):  # 1: its holder released it meanwhile, so that it was made anew
            self.waited = True
            return True
        self._give_back(seen_version + 1)
        return False

    def renew(self) -> bool:
        """Put off the end; False when another run has taken the lock over, whose it then stays."""
        before = self.version
        version = self._overwrite(self._value(before))
        if version == 1:  # whoever took it over has released it by now: it is nobody's
            self._forget()
            return False
        for number in range(before + 1, version):  # written by others since; or by us, when an answer was lost
            value, _version = self._read(number)
            if value is not None and value.get("run") != self.run and value.get("after", number - 1) == number - 1:
                self._give_back(number)
                return False  # taken over by one that saw it expired; one that saw an older version has lost, and given it back
        self.version = version
        return True

    def _overwrite(self, value: str) -> int:
        return int(self.ssm.put_parameter(Name=self.name, Value=value, Type="String", Overwrite=True)["Version"])

    def _give_back(self, version: int) -> None:
        """Put that version's value, the winner's, over ours. The winner may finish, and the parameter go, at any moment."""
        try:
            winner = self.ssm.get_parameter(Name=f"{self.name}:{version}")["Parameter"]["Value"]
        except Exception as error:
            if code_of(error) not in _ABSENT:
                raise
            return
        if self._overwrite(winner) == 1:
            self._forget()

    def _forget(self) -> None:
        """Delete a parameter that we made anew by overwriting what was gone."""
        try:
            self.ssm.delete_parameter(Name=self.name)
        except Exception as error:
            if code_of(error) not in _ABSENT:
                raise

    def _read(self, number: Optional[int] = None) -> tuple[Optional[dict[str, Any]], int]:
        """Value and version, the newest unless another is asked for."""
        try:
            parameter = self.ssm.get_parameter(Name=self.name if number is None else f"{self.name}:{number}")["Parameter"]
        except Exception as error:
            if code_of(error) in _ABSENT:
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
            f"until {until} unless it renews it",
            "Wait for that run (lock_timeout: SECONDS waits), or set break_lock: true if it is certainly dead; variables of the playbooks "
            "begin with aws_stack_. Nothing was changed",
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
