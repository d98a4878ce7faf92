# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to configure hosts that are as they shall be, against tasks that do nothing, on the same real hosts in the same run.

    make bench-configure        (python -m bench.configure [--rounds 5] [--keep])

Starts the sandbox `bench` with eight hosts (bench/hosts) and configures them once with playbook mlinfra.hosts.configure, each of its roles
on at least one host and all but the MLflow server and the EFA software on the one that is measured. Then, in turns: the same playbook
again, which must change nothing, against a play of ten `ping` tasks, on one host and on all eight; and role node_exporter by itself on
one host against as many `ping` tasks as it has tasks that go to the host. A ping is the least that a task can cost.
Ends in lines of NAME RATIO GOAL: the median of ours by the median of the pings; and remote_tasks_ROLE COUNT GOAL: the tasks that go to the
busiest host in an unchanged run. A goal is met when the figure is not above it.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.callbacks import remote_tasks
from sandbox import daemon, environment
from sandbox.paths import state_dir

FOLDER = Path(__file__).resolve().parent
CHECKOUT = FOLDER.parent
INVENTORY = FOLDER / "hosts"
ROLES = CHECKOUT / "playbooks" / "vars" / "roles.yml"
NAME = "bench"
PINGS = 10
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0\b", re.MULTILINE)
#: Tasks that a role may send to a host that is as it shall be.
MOST_TASKS = 6


class Failed(Exception):
    """A run did not do what it is measured for."""


@dataclass(frozen=True)
class Contest:
    """Two playbooks on the same hosts: what is measured, and pings."""

    name: str
    goal: float
    hosts: str
    ours: Path | str
    pings: Path


def plain(hosts: str, tasks: int) -> list[dict[str, Any]]:
    """A play of so many pings."""
    pings = [{"name": f"Ping {number}", "ansible.builtin.ping": {}} for number in range(1, tasks + 1)]
    return [{"name": "Ping", "hosts": hosts, "gather_facts": False, "tasks": pings}]


def role(hosts: str, name: str) -> list[dict[str, Any]]:
    """A play of one role."""
    return [{"name": "Run a role", "hosts": hosts, "gather_facts": False, "roles": [{"role": name}]}]


def wished_roles(only: str) -> set[str]:
    """The roles that must have been counted: those of `--only`, else all that configure knows."""
    return set(filter(None, only.split(","))) or set(yaml.safe_load(ROLES.read_text(encoding="utf-8"))["_mlinfra_roles"])


def ratio(ours: list[float], pings: list[float]) -> float:
    return statistics.median(ours) / statistics.median(pings)


class Bench:
    """The sandbox and its hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        state = state_dir(NAME)
        self.key = state / "bench" / "id_ed25519"
        port = daemon.port(state)
        if port is None:
            raise Failed(f"sandbox {NAME} is not up")
        self.environment = environment.child(NAME, state, port) | {
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1",
            "MLINFRA_SSH_KEY": str(self.key), "MLINFRA_KNOWN_HOSTS": str(self.key.with_name("known_hosts")),
            "BENCH_FOLDER": str(folder),
        }

    def make_key(self) -> None:
        if not self.key.exists():
            self.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mlinfra-bench", "-f", str(self.key)], check=True)

    def write(self, name: str, plays: list[dict[str, Any]]) -> Path:
        """A playbook of its own; JSON is YAML."""
        path = self.folder / f"{name}.yml"
        path.write_text(json.dumps(plays), encoding="utf-8")
        return path

    def run(self, playbook: Path | str, *options: str, changes: bool, **settings: str) -> tuple[float, str]:
        """(seconds, what it printed).

        :raises Failed: it failed, reached no host, or changed something that it should not have.
        """
        command = ["ansible-playbook", "-i", str(INVENTORY), *options, str(playbook)]
        begun = time.perf_counter()
        done = subprocess.run(
            command, cwd=CHECKOUT, env=self.environment | settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - begun
        if done.returncode:
            raise Failed(f"{' '.join(command)} failed:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
        recap = RECAP.findall(done.stdout)
        if not recap:
            raise Failed(f"{playbook} reached no host:\n{done.stdout}\n{done.stderr}")
        changed = [host for host, _ok, count in recap if count != "0"]
        if changed and not changes:
            raise Failed(f"{playbook} is not idempotent on {', '.join(changed)}:\n{done.stdout[-6000:]}")
        return seconds, done.stdout

    def tasks_of(self, playbook: Path | str) -> dict[str, int]:
        """{role: tasks that an unchanged run of a playbook sends to its busiest host}"""
        path = self.folder / "remote_tasks.jsonl"
        path.unlink(missing_ok=True)
        self.run(playbook, changes=False, **remote_tasks.environment(str(FOLDER / "callbacks"), str(path)))
        return remote_tasks.most([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])


@contextmanager
def sandbox(keep: bool) -> Iterator[None]:
    """The sandbox is up inside, and gone afterwards unless it shall stay."""
    command = [sys.executable, "-m", "sandbox"]
    subprocess.run([*command, "up", "--name", NAME], cwd=CHECKOUT, check=True)
    try:
        yield
    finally:
        if not keep:
            subprocess.run([*command, "down", "--name", NAME], cwd=CHECKOUT, check=True)


def contests(bench: Bench) -> list[Contest]:
    """What is to be measured, once the hosts are configured."""
    configure = "mlinfra.hosts.configure"
    exporter = bench.write("node_exporter", role("bench_one", "mlinfra.hosts.node_exporter"))
    count = bench.tasks_of(exporter)["node_exporter"]
    one, all_hosts = (bench.write(f"pings-{hosts}", plain(hosts, PINGS)) for hosts in ("bench_one", "mlinfra_hosts"))
    pings = bench.write("pings-node_exporter", plain("bench_one", count))
    return [
        Contest("configure_unchanged_1_host", 3, "bench_one", configure, one),
        Contest("configure_unchanged_8_hosts", 3, "mlinfra_hosts", configure, all_hosts),
        Contest("node_exporter_rerun", 2, "bench_one", exporter, pings),
    ]


def measure(bench: Bench, rounds: int) -> dict[Contest, tuple[list[float], list[float]]]:
    """(seconds of ours, seconds of the pings) of each contest."""
    taken: dict[Contest, tuple[list[float], list[float]]] = {contest: ([], []) for contest in contests(bench)}
    for contest in taken:
        bench.run(contest.pings, changes=False)  # ssh's connections are open from now on
        for number in range(1, rounds + 1):
            ours = bench.run(contest.ours, "--limit", contest.hosts, changes=False)[0]
            pings = bench.run(contest.pings, changes=False)[0]
            taken[contest][0].append(ours)
            taken[contest][1].append(pings)
            print(f"round {number}/{rounds}  {contest.name:<28} {ours:6.2f} s  pings {pings:6.2f} s", flush=True)
    return taken


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.configure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each pair is measured (default: 5)")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox and its hosts, for another run")
    parser.add_argument("--only", default="", help="roles to configure with, by commas (default: all)")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sandbox ends with this
    try:
        with sandbox(options.keep), tempfile.TemporaryDirectory(prefix="mlinfra-bench-") as folder:
            bench = Bench(Path(folder))
            bench.make_key()
            bench.environment["BENCH_ROLES"] = options.only
            for playbook in ("mlinfra.hosts.provision", "mlinfra.hosts.reachable", FOLDER / "prepare.yml", "mlinfra.hosts.configure"):
                seconds = bench.run(playbook, changes=True)[0]
                print(f"{playbook}: {seconds:.1f} s", flush=True)
            counts = bench.tasks_of("mlinfra.hosts.configure")
            uncounted = wished_roles(options.only) - set(counts)
            if uncounted:
                raise Failed(f"configure ran no task of {', '.join(sorted(uncounted))} on any host: bench/hosts does not declare it")
            taken = measure(bench, max(1, options.rounds))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    for contest, (ours, pings) in taken.items():
        print(f"median  {contest.name:<28} {statistics.median(ours):6.2f} s  pings {statistics.median(pings):6.2f} s")
    for contest, (ours, pings) in taken.items():
        print(f"{contest.name} {ratio(ours, pings):.3f} {contest.goal}")
    for name, count in counts.items():
        print(f"remote_tasks_{name} {count} {MOST_TASKS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
