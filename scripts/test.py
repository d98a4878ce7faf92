# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the test phases:  python -m scripts.test [--only NAMES] [--skip NAMES] [--list]

Each phase is one pytest run with a log and a JUnit file under .build/test/. Phases of a lane follow one another, the lanes run
side by side: what takes one core for minutes (sanity) or mostly waits is not in the way of what fills two. The last line sums up
what the JUnit files say: `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.report import Outcome, read_report, show_failures, show_slowest, show_table, totals

CHECKOUT = Path(__file__).resolve().parent.parent
RESULTS = CHECKOUT / ".build" / "test"
BEAT_SECONDS = 30
TRACES = "tests/sandbox/test_hosts_traces.py"


@dataclass(frozen=True)
class Phase:
    """One pytest run. `python` names another environment than the default one (scripts/env)."""

    name: str
    lane: str
    folder: str
    about: str
    python: str | None = None
    options: tuple[str, ...] = ()
    # A phase that hangs fails here, with its log, instead of at the mercy of whoever started the run.
    limit_seconds: int = 30 * 60


PHASES = [
    Phase("lint", "light", "tests/lint", "ruff, ansible-lint, antsibull-docs, changelog fragments", options=("-n", "2")),
    Phase("unit", "light", "tests/unit", "everything that decides", options=("-n", "2")),
    Phase("enumerate", "light", "tests/enumerate", "every module, plugin, role and playbook has what it must have"),
    Phase("packaging", "light", "tests/packaging", "artifact, galaxy-importer, offline install, execution environment"),
    Phase("sanity", "single", "tests/ansible_test", "ansible-test sanity on a copy"),
    # each worker has an emulator of its own; a file stays with one worker, since its tests may build on each other
    Phase(
        "integration", "light", "tests/integration_aws", "the modules against the emulated AWS",
        options=("-n", "2", "--dist", "loadfile"), limit_seconds=50 * 60,
    ),
    Phase("sandbox", "single", "tests/sandbox", "the sandbox itself: emulator and hosts", options=(f"--ignore={TRACES}",)),
    Phase("awx", "single", "tests/awx", "the playbooks through ansible-runner, as AWX runs them"),
    # while no other phase has hosts yet: the whole machine is compared then, not only what bears the sandbox's name
    Phase("traces", "hosts", TRACES, "a sandbox leaves the machine as it was"),
    # one by one, so that those that take longest begin first: worksteal gives each worker a third of the list
    Phase(
        "molecule", "hosts", "tests/scenarios", "every molecule scenario",
        options=("-n", "3", "--dist", "load", "--maxschedchunk", "1"), limit_seconds=80 * 60,
    ),
]  # fmt: skip


def other_pythons() -> list[str]:
    """Versions of the environments beside the default one; makes those that are missing."""
    command = [str(CHECKOUT / "scripts" / "env"), "--all"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines()][1:]


def with_other_pythons(phases: list[Phase], only: str) -> list[Phase]:
    """The phases, with the unit tests and the module itself once more on the newest other Python that this machine has.

    What is between the oldest and the newest has the newest one's ansible-core (scripts/env) and is run when `only` names it.
    """
    unit = next(phase for phase in phases if phase.name == "unit")
    more = []
    others = other_pythons()
    if others:
        newest = max(others, key=lambda version: [int(part) for part in version.split(".")])
        about = "the module, as a playbook runs it, on the newest ansible-core"
        asked = [version for version in others if version == newest or f"unit-{version}" in only.split(",")]
        more = [Phase(f"unit-{version}", "light", unit.folder, unit.about, version, unit.options) for version in asked]
        more.append(Phase(f"module-{newest}", "light", "tests/integration_aws/test_stack_module.py", about, newest))
    position = phases.index(unit) + 1
    return phases[:position] + more + phases[position:]


class Runner:
    """Runs phases and keeps hold of their processes, so that an interrupt ends them too."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.running: dict[str, subprocess.Popen] = {}
        self.stopping = threading.Event()

    def say(self, phase: Phase, text: str) -> None:
        print(f"[{time.monotonic() - self.began:5.0f} s] {phase.name:12} {text}", flush=True)

    def run(self, phase: Phase) -> Outcome:
        report, log = RESULTS / f"{phase.name}.xml", RESULTS / f"{phase.name}.log"
        report.unlink(missing_ok=True)
        command = [str(CHECKOUT / "scripts" / "run"), "python", "-m", "pytest", phase.folder, *phase.options]
        command += ["-v", "--tb=short", f"--junitxml={report}", "-o", f"junit_suite_name={phase.name}"]
        environment = {**os.environ, **({"MLINFRA_PYTHON": phase.python} if phase.python else {})}
        self.say(phase, f"begins: {phase.about}")
        began = time.monotonic()
        with open(log, "w") as out:
            child = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.running[phase.name] = child
            code = self.wait(phase, child, log, began)
        del self.running[phase.name]
        outcome = read_report(phase.name, report, log, code, time.monotonic() - began)
        self.say(phase, outcome.line())
        return outcome

    def wait(self, phase: Phase, child: subprocess.Popen, log: Path, began: float) -> int:
        while True:
            try:
                return child.wait(timeout=BEAT_SECONDS)
            except subprocess.TimeoutExpired:
                spent = time.monotonic() - began
            if spent > phase.limit_seconds:
                self.say(phase, f"still at work after {spent:.0f} s: ended")
                end(child)
                return child.wait()
            last = (log.read_text(errors="replace").splitlines() or [""])[-1]
            self.say(phase, f"{spent:.0f} s so far: {last.strip()[:110]}")

    def lane(self, phases: list[Phase]) -> list[Outcome]:
        return [self.run(phase) for phase in phases if not self.stopping.is_set()]

    def stop(self) -> None:
        self.stopping.set()
        for child in list(self.running.values()):
            end(child)


def end(child: subprocess.Popen) -> None:
    """Interrupt a phase's whole process group, so that fixtures tear down; after 30 s no more asking."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGINT)
    try:
        child.wait(timeout=30)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def run_all(phases: list[Phase]) -> list[Outcome]:
    RESULTS.mkdir(parents=True, exist_ok=True)
    runner = Runner()
    lanes = [[phase for phase in phases if phase.lane == lane] for lane in dict.fromkeys(phase.lane for phase in phases)]

    def interrupted(number, _frame):
        runner.stop()
        raise SystemExit(128 + number)

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    with ThreadPoolExecutor(len(lanes)) as pool:
        return [outcome for outcomes in pool.map(runner.lane, lanes) for outcome in outcomes]


def chosen(names: str, phases: list[Phase]) -> set[str]:
    known = {phase.name for phase in phases}
    wished = {name for name in names.split(",") if name}
    if wished - known:
        raise SystemExit(f"no phase is called {', '.join(sorted(wished - known))}: there are {', '.join(phase.name for phase in phases)}")
    return wished


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the test phases.")
    parser.add_argument("--only", default="", help="names, comma-separated")
    parser.add_argument("--skip", default="", help="names, comma-separated")
    parser.add_argument("--list", action="store_true", help="show the phases")
    arguments = parser.parse_args()
    if arguments.list:
        for phase in PHASES:
            print(f"{phase.name:12} {phase.about}")
        return 0
    only = arguments.only
    phases = PHASES if only and not re.search(r"(unit|module)-", only) else with_other_pythons(PHASES, only)
    wished, unwished = chosen(only, phases), chosen(arguments.skip, phases)
    phases = [phase for phase in phases if (not wished or phase.name in wished) and phase.name not in unwished]
    outcomes = run_all(phases)
    show_failures(outcomes)
    show_slowest(outcomes)
    show_table(outcomes)
    passed, failed, skipped = totals(outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
