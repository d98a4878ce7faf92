# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the steps of a proof: with their output shown and kept, within the time there is, and until somebody says stop."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from smoke.judge import FAILED

DONE = "done"
GRACE_SECONDS = 30  # for a playbook to end by itself: aws_stack then gives its lock back
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(text: str = "") -> None:
    """Print, if anybody still listens: a closed terminal must not keep a run from removing what it made."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


@dataclass(frozen=True)
class Step:
    name: str
    state: str
    seconds: float
    detail: str = ""


@dataclass
class Steps:
    """``deadline`` is a moment of time.monotonic. What a signal said is in ``stopped``; the step at work ends, and none begins."""

    folder: Path
    deadline: float
    done: list[Step] = field(default_factory=list)
    stopped: str = ""
    removing: bool = False
    asking: bool = False

    def listen(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: Any) -> None:
        name = signal.Signals(number).name
        if self.asking:
            raise KeyboardInterrupt
        if self.removing:
            say(f"\n{name}: what was made is being removed; that goes on, or it would go on costing money.")
        else:
            self.stopped = self.stopped or name

    @property
    def failed(self) -> bool:
        return any(step.state == FAILED for step in self.done)

    def note(self, name: str, state: str, seconds: float, detail: str = "") -> bool:
        self.done.append(Step(name, state, seconds, detail))
        say(f"   {name}: {state} in {seconds:.1f} s{': ' + detail if detail else ''}")
        return state == DONE

    def call(self, name: str, work: Callable[[], str]) -> bool:
        """A step in this process. ``work`` returns its detail, and raises StepError for a reason to fail."""
        say(f"\n== {name}")
        begun = time.monotonic()
        try:
            detail, state = work(), DONE
        except StepError as error:
            detail, state = str(error), FAILED
        return self.note(name, state, time.monotonic() - begun, detail)

    def run(self, name: str, command: list[str], limit: float | None = None) -> bool:
        """A step that is a command. :param limit: seconds, instead of what is left until the deadline and regardless of signals."""
        say(f"\n== {name}\n$ {' '.join(command)}")
        begun = time.monotonic()
        end = self.deadline if limit is None else begun + limit
        log = self.folder / "logs" / f"{len(self.done) + 1:02}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.log"
        log.parent.mkdir(exist_ok=True)
        # A session of its own: Ctrl-C in the terminal is for us alone, who then end the step in good order. A file, and no pipe: what a
        # step leaves in the background cannot hold us.
        with log.open("wb") as kept, log.open("rb") as shown:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=kept, stderr=subprocess.STDOUT, start_new_session=True)
            why = self._wait(child, end, shown, heed=limit is None)
        seconds = time.monotonic() - begun
        if why:
            return self.note(name, FAILED, seconds, why)
        if child.returncode:
            return self.note(name, FAILED, seconds, f"exit code {child.returncode}: {said(log.read_text(errors='replace'))}")
        return self.note(name, DONE, seconds)

    def _wait(self, child: subprocess.Popen[bytes], end: float, shown: BinaryIO, heed: bool) -> str:
        """Why the step was ended before its end; empty when it ended by itself. Shows what it writes."""
        why = ""
        while child.poll() is None and not why:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.2)
            _show(shown)
            why = self.stopped if heed else ""
            if not why and time.monotonic() > end:
                why = "its time was over"
        if child.poll() is None:
            _end(child)
        _show(shown)
        return why or (self.stopped if heed else "")


class StepError(Exception):
    """A step failed; the message says why and what to do."""


def _show(source: BinaryIO) -> None:
    text = source.read().decode(errors="replace")
    if text:
        with contextlib.suppress(OSError, ValueError):
            print(text, end="", flush=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt the step's whole process group; after GRACE_SECONDS no more asking."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=GRACE_SECONDS)
            return


def said(log: str, most: int = 1200) -> str:
    """What ansible-playbook said of a failure: its last lines before the recap, on one line. Pure."""
    lines = [line.strip() for line in log.split("PLAY RECAP")[0].splitlines()]
    start = max((number for number, line in enumerate(lines) if re.match(r"(fatal:|failed:|\[ERROR\]|ERROR!)", line)), default=-12)
    text = " ".join(" ".join(lines[start:]).split())
    return text if len(text) <= most else text[:most] + " …"
