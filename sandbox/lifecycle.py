# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a sandbox up, and leaving nothing of it. Every step may be cut short and repeated."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox import daemon, files, lock
from sandbox.hosts import cgroups, machine, machine_config, network, packages, rootfs, space
from sandbox.paths import RUN_BASE, STATE_BASE, SandboxError, cache_dir, run_dir, state_dir

Say = Callable[[str], None]
ALIVE_SECONDS = 8.0


def need_root() -> None:
    if os.geteuid():
        raise SandboxError("the sandbox starts systemd hosts and needs root on this machine. Run it as root.")


def _with_pulse(say: Say, what: Callable[[], str], work: Callable[[], object]) -> None:
    """Run ``work`` and say every few seconds that it still goes on."""
    done = threading.Event()
    begun = time.monotonic()

    def pulse() -> None:
        while not done.wait(ALIVE_SECONDS):
            say(f"… {time.monotonic() - begun:.0f} s: {what()}")

    thread = threading.Thread(target=pulse, daemon=True)
    thread.start()
    try:
        work()
    finally:
        done.set()
        thread.join()


def _roots(say: Say) -> dict[str, str]:
    missing = [suite for suite in rootfs.SUITES if rootfs.find(suite) is None]
    if missing:
        with ThreadPoolExecutor(len(missing)) as pool:
            _with_pulse(say, rootfs.progress, lambda: list(pool.map(lambda suite: rootfs.build(suite, say), missing)))
    return {suite: str(rootfs.build(suite, say)) for suite in rootfs.SUITES}


def prepare(say: Say) -> dict[str, str]:
    """Packages and base roots, shared by all sandboxes; returns suite → root."""
    _with_pulse(say, lambda: "still installing packages", lambda: packages.ensure(say))
    return _roots(say)


def up(name: str, say: Say) -> int:
    """Start the sandbox unless it runs, and return the port of its AWS endpoint."""
    need_root()
    state = state_dir(name)
    with lock.folder(state):
        number = daemon.port(state)
        if number and daemon.answers(number):
            say(f"sandbox {name} is up already")
            return number
        roots = prepare(say)
        daemon.kill(state)
        files.write_json(state / "roots.json", roots)
        (state / "environment").write_text(machine_config.shared_environment(dict(os.environ)), encoding="utf-8")
        machine.raise_settings(name)
        run_dir(name).mkdir(parents=True, exist_ok=True)
        _make_space(state)
        say("starting the emulated AWS")
        return daemon.start(name, state)


def _make_space(state: Path) -> None:
    if not space.exists(state):
        # Hosts of a namespace that is gone (the machine was restarted, or somebody unmounted it) cannot be taken over.
        cgroups.kill(state.name)
        network.remove_all(state.name)
    space.ensure(state)


def down(name: str, say: Say) -> None:
    """End everything of the sandbox and give the machine back as it was."""
    need_root()
    state = state_dir(name)
    if not state.exists() and not run_dir(name).exists():
        say(f"sandbox {name} is not up")
    else:
        with lock.folder(state):
            say(f"ending sandbox {name}")
            daemon.kill(state)
            cgroups.kill(name)
            space.remove(state)
            if shutil.which("nft"):
                network.remove_all(name)
            for folder in (run_dir(name), state):
                _delete(folder)
    machine.restore_settings(name)
    for base in (RUN_BASE, STATE_BASE):
        with contextlib.suppress(OSError):  # another sandbox lives there, or nothing ever did
            base.rmdir()
    if cache_dir().is_dir():
        say(f"nothing is left of it but the cache of root file systems, shared by all sandboxes: {cache_dir()}")


def _delete(folder: Path) -> None:
    """Processes that were just killed may take a moment until their mounts let go."""
    for attempt in range(50):
        try:
            if folder.exists():
                shutil.rmtree(folder)
            return
        except OSError:
            if attempt == 49:
                raise
            time.sleep(0.1)


def status(name: str) -> dict:
    """What there is, as ``status --json`` prints it."""
    state = state_dir(name)
    number = daemon.port(state)
    process = daemon.recorded(state)
    running = number is not None
    others = sorted(path.name for path in STATE_BASE.glob("[a-z]*") if path.is_dir() and path.name != name) if STATE_BASE.is_dir() else []
    return {
        "name": name, "up": running, "endpoint": f"http://127.0.0.1:{number}" if running else None,
        "pid": process.pid if running and process else None, "hosts": files.read_json(state / "hosts.json", []) if running else [],
        "state": str(state) if state.exists() else None, "cache": str(cache_dir()), "others": others,
    }  # fmt: skip
