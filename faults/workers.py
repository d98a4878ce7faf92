# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that try out cases side by side, each on a bench of its own."""

from __future__ import annotations

import multiprocessing.connection
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from multiprocessing import Pipe
from typing import NamedTuple

from .bench import Bench
from .case import Case, selection
from .emulator import die_with_parent
from .gate import StrikingGate
from .scenarios import SCENARIOS


def asked(patterns: list[str]) -> list[str]:
    """The scenarios that the patterns can mean; others need not even be begun."""
    heads = [pattern.partition("/")[0] for pattern in patterns]
    return [name for name in SCENARIOS if not heads or any(fnmatchcase(name, head) for head in heads)]


class Judged(NamedTuple):
    case: Case
    violations: list[str]


class Workers:
    """``cases`` once entered; ``judged()`` yields each as it is done."""

    def __init__(self, gate: StrikingGate, count: int, patterns: list[str], some: bool = False) -> None:
        self._gate, self._count, self._patterns, self._some = gate, count, patterns, some
        self._pipes: list[multiprocessing.connection.Connection] = []
        self._pids: list[int] = []
        self.cases: list[Case] = []

    def __enter__(self) -> Workers:
        for _number in range(self._count):
            ours, theirs = Pipe()
            pid = os.fork()
            if pid == 0:
                ours.close()
                die_with_parent()
                status = 1
                try:
                    _work(self._gate, theirs, asked(self._patterns))
                    status = 0
                finally:
                    os._exit(status)
            theirs.close()
            self._pipes.append(ours)
            self._pids.append(pid)
        listed = [self._recorded(pipe) for pipe in self._pipes]
        if any(one != listed[0] for one in listed):
            raise RuntimeError(f"runs without faults differ: {set(listed[0]).symmetric_difference(*listed[1:])}")
        chosen = selection(listed[0]) if self._some else listed[0]
        self.cases = [case for case in chosen if not self._patterns or any(fnmatchcase(str(case), one) for one in self._patterns)]
        return self

    @staticmethod
    def _recorded(pipe: multiprocessing.connection.Connection) -> list[Case]:
        answer = pipe.recv()
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    def judged(self) -> Iterator[Judged]:
        waiting, busy = list(reversed(self.cases)), set()
        for pipe in self._pipes[: len(waiting)]:
            pipe.send(waiting.pop())
            busy.add(pipe)
        while busy:
            for pipe in multiprocessing.connection.wait(list(busy)):
                answer = pipe.recv()
                busy.discard(pipe)
                if waiting:
                    pipe.send(waiting.pop())
                    busy.add(pipe)
                yield answer

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for pid in self._pids:
            os.waitpid(pid, 0)


def _work(gate: StrikingGate, pipe: multiprocessing.connection.Connection, scenarios: list[str]) -> None:
    try:
        bench = Bench(gate, scenarios)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(bench.cases())
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            break
        pipe.send(Judged(case, bench.try_out(case)))
    bench.close()
