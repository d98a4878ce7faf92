# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault at every write of a creation and at every second one of a change and a removal; ``make faults`` tries all ways at all of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from faults.case import Case, beyond, selection, unowned
from faults.inventory import Life, Thing
from faults.modes import MODES

CHECKOUT = Path(__file__).resolve().parents[2]


def test_a_selection_of_all_faults():
    run = subprocess.run([sys.executable, "-m", "faults", "--some"], cwd=CHECKOUT, capture_output=True, text=True)
    last = run.stdout.strip().splitlines()[-1:]
    assert run.returncode == 0 and re.fullmatch(r"faults: [1-9]\d* cases, 0 violations", "".join(last)), f"{run.stdout}\n{run.stderr}"


def test_each_way_and_each_position_is_in_the_selection():
    cases = [Case("create", f"ec2:Create{kind}", nth, mode) for kind in range(12) for nth in (1, 2) for mode in MODES]
    chosen = selection(cases)
    assert {case.mode for case in chosen} == set(MODES)
    assert [(case.call, case.nth) for case in chosen] == list(dict.fromkeys((case.call, case.nth) for case in cases))


OURS = {"mlinfra:stack": "vision", "mlinfra:pool": "train", "mlinfra:slots": "0-1"}


def thing(kind: str, id: str, parent: str = "", tags: dict[str, str] | None = None) -> Thing:
    return Thing(kind, id, frozenset({id}), parent, tags or {})


def test_what_counts_as_nobodys():
    there = [
        thing("ec2/vpcs", "vpc-1"),
        thing("ec2/network_acls", "acl-1", parent="vpc-1"),
        thing("ec2/instances", "i-1", tags=OURS),
        thing("ec2/volumes", "vol-1", parent="i-1", tags=OURS),
        thing("ec2/volumes", "vol-2", parent="i-1"),
        thing("ec2/volumes", "vol-3"),
        thing("ec2/network_acls", "acl-2", parent="vpc-2"),
        thing("ssm/_parameters", "/mlinfra/vision/dev/lock"),
    ]
    assert unowned(there, {"vpc-1", "i-1"}) == [
        "ec2/volumes vol-2 of i-1 has no tags",
        "ec2/volumes vol-3 is there and nobody's (tags: none)",
        "ec2/network_acls acl-2 is there and nobody's (tags: none)",
    ]


def test_what_counts_as_too_many():
    lives = [Life("i-1", 0, OURS), Life("i-2", 1, OURS)]
    assert beyond(lives, {"train": 2}) == []
    assert beyond([*lives, Life("i-3", 1, OURS)], {"train": 2}) == [
        "2 instances live in slot 1 of train",
        "3 instances of train live, at most 2 were wished",
    ]
    assert beyond([Life("i-4", 0, {})], {}) == ["1 instances of ? live, at most 0 were wished"]
