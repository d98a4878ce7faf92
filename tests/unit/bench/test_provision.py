# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comparison of aws_stack with the stock modules makes of its measurements."""

from __future__ import annotations

import pytest

from bench.provision import GOALS, RECAP, TOOLS, Round, Run, line, ratios


def rounds(*seconds_and_requests: tuple[float, int, float, int]) -> list[Round]:
    return [Round(Run(first, many), Run(again, few)) for first, many, again, few in seconds_and_requests]


def test_ratios_are_of_medians_and_ours_by_theirs() -> None:
    ours = rounds((3.0, 70, 1.0, 20), (2.0, 70, 2.0, 20), (90.0, 70, 90.0, 20))
    theirs = rounds((30.0, 200, 20.0, 100), (30.0, 200, 20.0, 100), (1.0, 200, 1.0, 100))
    found = ratios(dict(zip(TOOLS, (ours, theirs), strict=True)))
    assert {name: ratio for name, (ratio, _goal) in found.items()} == {
        "provision_rerun_wall": pytest.approx(0.1),
        "provision_rerun_requests": pytest.approx(0.2),
        "provision_first_wall": pytest.approx(0.1),
    }
    assert {name: goal for name, (_ratio, goal) in found.items()} == {name: goal for name, (_pick, goal) in GOALS.items()}


@pytest.mark.parametrize(
    ("recap", "changed"),
    [
        ("localhost                  : ok=13   changed=2    unreachable=0    failed=0    skipped=0", "2"),
        ("localhost                  : ok=13   changed=2    unreachable=0    failed=1    skipped=0", None),
        ("localhost                  : ok=0    changed=0    unreachable=1    failed=0    skipped=0", None),
    ],
)
def test_only_a_run_without_failures_counts(recap: str, changed: str | None) -> None:
    found = RECAP.search(f"PLAY RECAP ****\n{recap}\n")
    assert (found[1] if found else None) == changed


def test_a_line_shows_medians() -> None:
    assert line("median", "aws_stack", rounds((3.0, 70, 1.0, 20), (5.0, 72, 3.0, 22))) == (
        "median     aws_stack       first run   4.00 s   71 requests  re-run   2.00 s   21 requests"
    )
