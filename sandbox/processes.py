# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes by pid and start time: a pid that the kernel has given to somebody else is never touched."""

from __future__ import annotations

import os
import select
import signal
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """``start`` is field 22 of /proc/PID/stat (proc(5)): clock ticks after the machine's boot."""

    pid: int
    start: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def start_time(pid: int) -> int | None:
    """None when there is no such process, or only its zombie is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def identify(pid: int) -> Process | None:
    """The process that has this pid now."""
    start = start_time(pid)
    return None if start is None else Process(pid, start)


def is_alive(process: Process | None) -> bool:
    return process is not None and start_time(process.pid) == process.start


def send(process: Process, number: int) -> bool:
    """Signal exactly this process; False when it has gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def wait_gone(process: Process, seconds: float) -> bool:
    """Wait for its end without polling; True when it has ended."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return True
    try:
        if not is_alive(process):
            return True
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000)) or not is_alive(process)
    finally:
        os.close(handle)


def end(process: Process | None, grace: float = 10.0) -> None:
    """SIGTERM, and SIGKILL when it has not ended after ``grace`` seconds."""
    if process is None or not send(process, signal.SIGTERM) or wait_gone(process, grace):
        return
    send(process, signal.SIGKILL)
    wait_gone(process, 5)
