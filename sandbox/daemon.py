# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's one process: the emulated AWS and the reconciler, in the sandbox's own mount namespace and control group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sandbox import files, processes
from sandbox.hosts import cgroups, space
from sandbox.paths import SandboxError
from sandbox.processes import Process

CHECKOUT = Path(__file__).resolve().parents[1]
START_SECONDS = 120.0


def recorded(state: Path) -> Process | None:
    data = files.read_json(state / "daemon.json")
    return Process(data["pid"], data["start"]) if data else None


def port(state: Path) -> int | None:
    """The port of the living daemon, None when there is none or it is not ready yet."""
    ready = files.read_json(state / "ready.json")
    return ready["port"] if ready and is_running(state) else None


def is_running(state: Path) -> bool:
    return processes.is_alive(recorded(state))


def answers(number: int) -> bool:
    """Whether the emulator answers on 127.0.0.1, past any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{number}/sandbox/requests", timeout=10) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def start(name: str, state: Path) -> int:
    """Start the daemon and return its port once it answers.

    :raises SandboxError: it ended or did not answer; its log is named.
    """
    ready, log = state / "ready.json", state / "aws.log"
    ready.unlink(missing_ok=True)
    server = [sys.executable, "-m", "sandbox.aws.server", "--port", "0", "--state-dir", str(state), "--ready-file", str(ready)]
    # $$ stays the same through exec: the process is in its group before it does anything.
    place = f"{cgroups.MOUNT}{cgroups.group(name)}/daemon"
    script = f'mkdir -p {place} && echo $$ > {place}/cgroup.procs && exec "$@"'
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1", "MLINFRA_SANDBOX": name}
    with open(log, "ab") as out:
        child = subprocess.Popen(
            [*space.entered(state), "sh", "-c", script, "sh", *server],
            cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True,
        )  # fmt: skip
    process = processes.identify(child.pid)
    if process:
        files.write_json(state / "daemon.json", process.as_dict())
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        number = port(state)
        if number and answers(number):
            return number
        time.sleep(0.05)
    processes.end(process)
    tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise SandboxError(f"the emulated AWS did not start: {''.join(tail) or 'it did not answer in time'}. See {log}.")


def kill(state: Path) -> None:
    """End the daemon at once: whatever it was at, the next one or ``down`` finishes. Nothing of its memory is to be kept."""
    process = recorded(state)
    if process and processes.send(process, signal.SIGKILL):
        processes.wait_gone(process, 10)
    cgroups.end_strays(state.name)
