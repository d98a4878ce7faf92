# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phase's JUnit file says, and how a run's end is shown."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """A finished phase. `failures` are (test, text) pairs, `skips` (test, reason) pairs, `times` (seconds, test) pairs of all that ran."""

    name: str
    seconds: float
    passed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    skips: list[tuple[str, str]] = field(default_factory=list)
    times: list[tuple[float, str]] = field(default_factory=list)

    def line(self) -> str:
        word = "FAILED" if self.failures else "passed"
        return f"{word} in {self.seconds:.0f} s: {self.passed} passed, {len(self.failures)} failed, {len(self.skips)} skipped"


def read_report(name: str, report: Path, log: Path, code: int, seconds: float) -> Outcome:
    """The outcome of a phase. One that failed outside its tests, or ran none, counts as one failure."""
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        cases = []
    passed, failures, skips, times = 0, [], [], []
    for case in cases:
        test = f"{case.get('classname')}::{case.get('name')}"
        times.append((float(case.get("time") or 0), test))
        broken = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if broken:
            failures.append((test, "\n".join(child.text or child.get("message", "") for child in broken)))
        elif skipped is not None:
            skips.append((test, skipped.get("message", "")))
        else:
            passed += 1
    if code and not failures:
        failures.append((f"{name} (exit {code})", "\n".join(log.read_text(errors="replace").splitlines()[-40:])))
    return Outcome(name, seconds, passed, failures, skips, times)


def show_failures(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for test, text in outcome.failures:
            print(f"\n=== FAILED {outcome.name}: {test}")
            print("\n".join(text.splitlines()[-60:]))
    for outcome in outcomes:
        for test, reason in outcome.skips:
            print(f"skipped {outcome.name}: {test}: {reason}")


def show_slowest(outcomes: list[Outcome], number: int = 20) -> None:
    """Where a run's time went: what to look at when it gets too long."""
    times = sorted((time for outcome in outcomes for time in outcome.times), reverse=True)
    print("\nslowest:")
    for seconds, test in times[:number]:
        print(f"{seconds:8.0f} {test}")


def show_table(outcomes: list[Outcome]) -> None:
    print(f"\n{'phase':12} {'seconds':>8} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for outcome in outcomes:
        print(f"{outcome.name:12} {outcome.seconds:8.0f} {outcome.passed:7} {len(outcome.failures):7} {len(outcome.skips):8}")
    for outcome in outcomes:
        for test, _text in outcome.failures:
            print(f"FAILED {outcome.name}: {test}")
    print()


def totals(outcomes: list[Outcome]) -> tuple[int, int, int]:
    """(passed, failed, skipped) over all phases."""
    return (
        sum(outcome.passed for outcome in outcomes),
        sum(len(outcome.failures) for outcome in outcomes),
        sum(len(outcome.skips) for outcome in outcomes),
    )
