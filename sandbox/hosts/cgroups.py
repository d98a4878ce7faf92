# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control groups this machine has, and a view with version 2 alone for the container engine.

crun refuses the hybrid layout, so on such a machine the engine runs in a private mount namespace where /sys/fs/cgroup is
the unified hierarchy. Everything of a sandbox lives in the group mlinfra-NAME: the kernel itself knows what was started.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from sandbox.command import run

MOUNT = "/sys/fs/cgroup"
V2_ONLY = f"umount -l -R {MOUNT} 2>/dev/null; mount -t cgroup2 none {MOUNT}"


def layout(mountinfo: str) -> str:
    """``v2`` when /sys/fs/cgroup is the unified hierarchy, ``hybrid`` with both, ``v1`` with the old ones only, else ``none``.

    :param mountinfo: as in proc_pid_mountinfo(5): mount point is field 5, the file system type follows ``-``.
    """
    types: dict[str, str] = {}
    for line in mountinfo.splitlines():
        front, dash, back = line.partition(" - ")
        if dash and len(front.split()) > 4:
            types[front.split()[4]] = back.split()[0]  # a later mount hides an earlier one at the same place
    if types.get(MOUNT) == "cgroup2":
        return "v2"
    below = {kind for place, kind in types.items() if place == MOUNT or place.startswith(MOUNT + "/")}
    if "cgroup2" in below:
        return "hybrid"
    return "v1" if "cgroup" in below else "none"


def machine_layout() -> str:
    return layout(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))


def group(name: str) -> str:
    """The sandbox's group, from the root of the unified hierarchy."""
    return f"/mlinfra-{name}"


def viewed(script: str) -> list[str]:
    """A command that runs ``script`` by sh where /sys/fs/cgroup is the unified hierarchy."""
    if machine_layout() == "v2":
        return ["sh", "-c", script]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"{V2_ONLY} && {{ {script}; }}"]


def kill(name: str) -> None:
    """End every process of the sandbox's group and remove the group; nothing happens when it is not there."""
    place = f"{MOUNT}{group(name)}"
    # cgroup.kill is there since Linux 5.14. A group can be removed once its last process is reaped.
    run(viewed(
        f"test -d {place} || exit 0; echo 1 > {place}/cgroup.kill; for i in $(seq 100); do "
        f"find {place} -depth -type d -exec rmdir {{}} + 2>/dev/null; test -d {place} || exit 0; sleep 0.05; done; exit 1"
    ))  # fmt: skip


def end_strays(name: str) -> None:
    """End what a killed daemon left at work (podman, half way through a start); the keepers of running hosts stay."""
    procs = f"{MOUNT}{group(name)}/daemon/cgroup.procs"
    run(viewed(
        f"test -f {procs} || exit 0; for p in $(cat {procs}); do "
        "case $(cat /proc/$p/comm 2>/dev/null) in conmon) ;; *) kill -9 $p;; esac; done; :"
    ))  # fmt: skip


def host_group(name: str, instance_id: str) -> str:
    """Each host has a group of its own, so that its processes are known even when nobody lived to write down its pid."""
    return f"{group(name)}/{instance_id}"


def end_host(name: str, instance_id: str) -> None:
    """End every process of the host and remove its group. For the daemon, which has the version 2 view."""
    place = Path(MOUNT + host_group(name, instance_id))
    if not place.is_dir():
        return
    (place / "cgroup.kill").write_text("1", encoding="ascii")
    for _ in range(100):
        for folder in sorted((path for path in (place, *place.rglob("*")) if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):  # still in use: its last process is on its way out
                folder.rmdir()
        if not place.exists():
            return
        time.sleep(0.05)
