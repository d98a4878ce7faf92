# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox's own mount namespace: the daemon runs in it, so that none of its mounts shows on the machine or outlives it."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.command import attempt, run
from sandbox.hosts import cgroups


def _mounted() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return {line.split()[4] for line in lines}


def handle(state: Path) -> Path:
    """The file that keeps the namespace alive."""
    return state / "ns" / "mnt"


def exists(state: Path) -> bool:
    return str(handle(state)) in _mounted()


def ensure(state: Path) -> None:
    """Make the namespace unless it is there."""
    keeper = handle(state)
    if exists(state):
        return
    keeper.parent.mkdir(parents=True, exist_ok=True)
    # A mount namespace can only be kept on a private mount.
    if str(keeper.parent) not in _mounted():
        run(["mount", "--bind", str(keeper.parent), str(keeper.parent)])
    run(["mount", "--make-private", str(keeper.parent)])
    keeper.touch()
    script = "true" if cgroups.machine_layout() == "v2" else cgroups.V2_ONLY
    _keep(["unshare", f"--mount={keeper}", "--propagation", "slave", "sh", "-c", script])


def _keep(command: list[str]) -> None:
    """Make the namespace on a processor where it can be kept.

    The kernel keeps a mount namespace on a mount of an older one only (mnt_ns_loop in fs/namespace.c), and tells older by a number. Seen on
    Linux 6.18 with two processors: below a namespace that is not the machine's first (a container, say), one made on another processor
    than the outer one may have the lower number, and is refused as invalid; on the outer one's processor it never is.
    """
    pinned = (["taskset", "--cpu-list", str(processor), *command] for processor in sorted(os.sched_getaffinity(0)))
    if not any(attempt(one) for one in (command, *pinned)):
        run(command)


def entered(state: Path) -> list[str]:
    """What to put before a command that is to run in the namespace."""
    return ["nsenter", f"--mount={handle(state)}", "--"]


def remove(state: Path) -> None:
    """Let go of the namespace; its mounts go with its last process."""
    for path in (handle(state), handle(state).parent):
        while str(path) in _mounted():
            if not attempt(["umount", str(path)]):
                run(["umount", "--lazy", str(path)])
