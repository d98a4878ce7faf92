# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command with its output passed on as it comes, so that long steps show that they live."""

from __future__ import annotations

import ctypes
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

QUIET_SECONDS = 10  # a line of ours appears after this long without output
_PR_SET_PDEATHSIG = 1  # prctl(2)
_PLAY = re.compile(r"^PLAY \[(.*?)\]")
_TASK = re.compile(r"^TASK \[(.*?)\]")
_RECAP = re.compile(r"^\S+\s+: ok=\d+\s+changed=(\d+)")


@dataclass
class Result:
    """Exit code, and (play name, seconds) for each play that the output shows."""

    returncode: int
    plays: list[tuple[str, float]] = field(default_factory=list)


class Narrator:
    """Prints to standard output and remembers whether any play recap told of a change."""

    def __init__(self) -> None:
        self.changed = False
        self.on_play: Callable[[str], None] = lambda name: None  # told the name of each play as it begins

    def say(self, text: str) -> None:
        print(text, flush=True)

    def headline(self, title: str, nature: str, command: list[str]) -> None:
        words = ["python" if word == sys.executable else word for word in command]
        self.say(f"\n== {title}  [{nature}]\n$ scripts/run {shlex.join(words)}")


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent is killed, so that a killed demo leaves no playbook running."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run_narrated(command: list[str], narrator: Narrator, cwd: Path) -> Result:
    """Run ``command``; pass on its lines, and after each quiet spell say what it is at."""
    lines: queue.Queue[str | None] = queue.Queue()
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=cwd, preexec_fn=end_with_parent, **pipes) as process:

        def pump() -> None:
            for line in process.stdout:
                lines.put(line.rstrip("\n"))
            lines.put(None)

        threading.Thread(target=pump, daemon=True).start()
        result = Result(0)
        play, play_begun, at, begun = "", 0.0, "the start", time.monotonic()
        while True:
            try:
                line = lines.get(timeout=QUIET_SECONDS)
            except queue.Empty:
                narrator.say(f"   … {time.monotonic() - begun:.0f} s, at work after {at}")
                continue
            now = time.monotonic()
            found = None if line is None else _PLAY.match(line)
            if play and (line is None or found or line.startswith("PLAY RECAP")):
                result.plays.append((play, now - play_begun))
                play = ""
            if line is None:
                break
            narrator.say(line)
            if found:
                play, play_begun = found[1], now
                narrator.on_play(play)
            if task := _TASK.match(line):
                # A task is printed with its first result (display_skipped_hosts is off), so the one at work is the one after it.
                at = f"task “{task[1]}”"
            if (recap := _RECAP.match(line)) and int(recap[1]):
                narrator.changed = True
        result.returncode = process.wait()
        return result
