# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox's own mount namespace: the daemon runs in it, so that none of its mounts shows on the machine or outlives it."""

from __future__ import annotations

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
    run(["unshare", f"--mount={keeper}", "--propagation", "slave", "sh", "-c", script])


def entered(state: Path) -> list[str]:
    """What to put before a command that is to run in the namespace."""
    return ["nsenter", f"--mount={handle(state)}", "--"]


def remove(state: Path) -> None:
    """Let go of the namespace; its mounts go with its last process."""
    for path in (handle(state), handle(state).parent):
        while str(path) in _mounted():
            if not attempt(["umount", str(path)]):
                run(["umount", "--lazy", str(path)])
