# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same stack by one aws_stack task and by a playbook of the stock modules, on the same emulated AWS: time and API requests.

    make bench-provision        (python -m bench.provision [--rounds 5])

Each round empties the account, then runs a playbook twice: a first run that makes everything, and a re-run that must change nothing. The
two playbooks (stack.yml, peer.yml) take turns. What they leave in the account is compared, so that neither gets away with less work. The
emulator runs without hosts; its delays (an instance takes 0.4 s to run, EC2 learns of a new instance profile after 1 s) hold for both.
Ends in lines of NAME RATIO GOAL: the median of aws_stack by the median of the stock modules. A goal is met when the ratio is not above it.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.account import made
from sandbox.aws.process import Emulator

FOLDER = Path(__file__).resolve().parent
TOOLS = {"aws_stack": "stack.yml", "stock modules": "peer.yml"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt bench"
RECAP = re.compile(r"^localhost\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=0\b", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    seconds: float
    requests: int


@dataclass(frozen=True)
class Round:
    first: Run
    again: Run


#: Name of the figure → (what of a round it is about, ratio not to be passed).
GOALS: dict[str, tuple[Callable[[Round], float], float]] = {
    "provision_rerun_wall": (lambda one: one.again.seconds, 0.17),
    "provision_rerun_requests": (lambda one: one.again.requests, 0.25),
    "provision_first_wall": (lambda one: one.first.seconds, 0.25),
}


class Failed(Exception):
    """A run did not do what it is measured for."""


def ratios(rounds: dict[str, list[Round]]) -> dict[str, tuple[float, float]]:
    """Figure → (ratio of the medians, goal)."""
    ours, theirs = (rounds[tool] for tool in TOOLS)
    found = {}
    for name, (pick, goal) in GOALS.items():
        found[name] = statistics.median(map(pick, ours)) / statistics.median(map(pick, theirs)), goal
    return found


def play(aws: Emulator, playbook: str, home: str) -> tuple[Run, int]:
    """Run a playbook; what it took and how many tasks changed something.

    :raises Failed: it failed.
    """
    settings = Path(home) / "ansible.cfg"
    settings.touch()  # Ansible's defaults, whatever this machine's are
    environment = aws.environment() | {
        "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_HOME": home, "ANSIBLE_CONFIG": str(settings),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    aws.control("POST", "requests/reset")
    begun = time.perf_counter()
    done = subprocess.run(
        ["ansible-playbook", "--extra-vars", f'bench_public_key="{PUBLIC_KEY}"', str(FOLDER / playbook)],
        cwd=FOLDER, env=environment, capture_output=True, text=True, check=False,
    )
    seconds = time.perf_counter() - begun
    recap = RECAP.search(done.stdout)
    if done.returncode or not recap:
        raise Failed(f"{playbook} failed:\n{done.stdout}\n{done.stderr}")
    return Run(seconds, aws.requests()["total"]), int(recap[1])


def measure(aws: Emulator, playbook: str, home: str) -> tuple[Round, dict[str, Any]]:
    """One round on an empty account.

    :raises Failed: a run failed, the first changed nothing, or the second changed something.
    """
    aws.reset()
    first, changed = play(aws, playbook, home)
    if not changed:
        raise Failed(f"{playbook} changed nothing on an empty account")
    again, changed = play(aws, playbook, home)
    if changed:
        raise Failed(f"{playbook} is not idempotent: {changed} tasks changed something the second time")
    return Round(first, again), made(aws)


def compare(rounds: int) -> dict[str, list[Round]]:
    taken: dict[str, list[Round]] = {tool: [] for tool in TOOLS}
    with Emulator() as aws, tempfile.TemporaryDirectory(prefix="mlinfra-bench-") as home:
        for number in range(1, rounds + 1):
            results = {}
            for tool, playbook in TOOLS.items():
                one, results[tool] = measure(aws, playbook, home)
                taken[tool].append(one)
                print(line(f"round {number}/{rounds}", tool, [one]), flush=True)
            ours, theirs = results.values()
            differing = [what for what in ours if ours[what] != theirs[what]]
            if differing:
                told = "\n".join(f"{what}: {ours[what]} and {theirs[what]}" for what in differing)
                raise Failed(f"the two made different things:\n{told}")
    return taken


def line(what: str, tool: str, rounds: list[Round]) -> str:
    """The medians of some rounds, to be read."""
    parts = [f"{what:<10} {tool:<14}"]
    for name, pick in (("first run", lambda one: one.first), ("re-run", lambda one: one.again)):
        runs = [pick(one) for one in rounds]
        seconds, requests = statistics.median(run.seconds for run in runs), statistics.median(run.requests for run in runs)
        parts.append(f"{name} {seconds:6.2f} s {requests:4.0f} requests")
    return "  ".join(parts)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.provision", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each playbook is measured (default: 5)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulator and a playbook end with this
    rounds = max(1, parser.parse_args(argv).rounds)
    print(f"aws_stack and the stock modules, {rounds} rounds each, on an emulated AWS on this machine", flush=True)
    try:
        taken = compare(rounds)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    for tool, done in taken.items():
        print(line("median", tool, done))
    for name, (ratio, goal) in ratios(taken).items():
        print(f"{name} {ratio:.3f} {goal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
