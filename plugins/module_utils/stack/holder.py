# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which process holds a lock, so that a later one on the same machine can tell that it is dead.

A process is named by the kernel's boot id and the PID namespace (containers on one machine have the same numbers for different
processes), its number and its start time (numbers are used again). Sources: proc(5), pid_namespaces(7).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

_PROC = Path("/proc")
_START_TIME = 19  # field 22 of /proc/PID/stat, counted after the command's closing bracket


def myself(proc: Path = _PROC) -> dict[str, Any]:
    """``{place, pid, started}``; empty where /proc does not tell, and then nobody takes this process for dead."""
    place, started = _place(proc), _started(os.getpid(), proc)
    return {"place": place, "pid": os.getpid(), "started": started} if place and started else {}


def is_dead(holder: Any, proc: Path = _PROC) -> bool:
    """Whether a process that called itself this certainly runs no more; true only on the machine and in the namespace that it ran in."""
    if not isinstance(holder, dict) or not holder.get("place") or holder["place"] != _place(proc):
        return False
    return _started(holder.get("pid"), proc) != holder.get("started")


def _place(proc: Path) -> Optional[str]:
    try:
        return f"{(proc / 'sys/kernel/random/boot_id').read_text().strip()} {os.readlink(proc / 'self/ns/pid')}"
    except OSError:
        return None


def _started(pid: Any, proc: Path) -> Optional[str]:
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[_START_TIME]
    except (OSError, IndexError):
        return None
