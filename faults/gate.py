# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's gate with what only these cases need: killing the caller, an answer that comes too late, new things that hide."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.aws.actions import Call
from sandbox.aws.faults import Fault
from sandbox.aws.gate import Gate, _hang_up
from sandbox.aws.timing import TIMING

SILENT = "x-fault-silent"  # a header that the caller's side takes for no answer at all (faults/run.py)


@dataclass
class Strike(Fault):
    kill: str = ""  # before | after: the process ``pid``, by SIGKILL
    pid: int = 0
    silent: bool = False
    unseen: float = 0.0  # seconds
    struck: int = 0


class StrikingGate(Gate):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open = 0
        self._idle = threading.Condition()
        self._one = threading.RLock()  # moto's serializers are not made for threads: one in a thousand requests breaks in them

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        with self._idle:
            self._open += 1
        try:
            return super().__call__(environ, start)
        finally:
            with self._idle:
                self._open -= 1
                self._idle.notify_all()

    def _pass(self, *arguments: Any) -> Iterable[bytes]:
        with self._one:
            return [b"".join(super()._pass(*arguments))]

    def quiet(self) -> None:
        """Return when no request is being served: what a killed run had sent takes effect all the same."""
        with self._idle:
            self._idle.wait_for(lambda: self._open == 0, timeout=30)

    def arm(self, rules: list[dict[str, Any]], pid: int) -> None:
        self.faults._rules = [Strike(**rule, pid=pid) for rule in rules]

    def disarm(self) -> bool:
        """Whether every rule was met; there are none afterwards."""
        rules, self.faults._rules = self.faults._rules, []
        TIMING.visibility = 0.0
        return all(rule.struck for rule in rules)

    def writes(self) -> dict[str, int]:
        return dict(self._by_action)

    def _faulty(self, fault: Fault, call: Call, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        assert isinstance(fault, Strike)
        fault.struck += 1
        if fault.unseen:
            TIMING.visibility = fault.unseen
            TIMING.profile_propagation = fault.unseen
            return self._pass(call, environ, start)
        if fault.silent:
            return self._pass(call, environ, lambda line, headers, *more: start(line, [*headers, (SILENT, "1")], *more))
        if not fault.kill:
            return super()._faulty(fault, call, environ, start)
        if fault.kill == "after":
            for _chunk in self._pass(call, environ, lambda *_a, **_n: None):
                pass
        _end(fault.pid)
        return _hang_up(environ)


def _end(pid: int) -> None:
    """SIGKILL, and wait until it has struck: the parent reaps it."""
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError, IndexError):
        for _time in range(500):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.01)
