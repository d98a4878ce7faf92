# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions that apt knows, and wishes that it cannot fulfil."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import candidates

POLICY = """cuda-drivers:
  Installed: 580.95.05-1
  Candidate: 590.10-1
  Version table:
     590.10-1 600
        600 http://mirror.example/nvidia  Packages
     580.126.09-1 600
        600 http://mirror.example/nvidia  Packages
 *** 580.95.05-1 100
        100 /var/lib/dpkg/status
mail-transport-agent:
  Installed: (none)
  Candidate: (none)
  Version table:
libc6:
  Installed: 2.36-9
  Candidate: 2.36-9
  Version table:
 *** 2.36-9 -1
        100 /var/lib/dpkg/status
"""


@pytest.mark.parametrize(
    ("wish", "version"),
    [
        ("cuda-drivers", "590.10-1"),
        ("cuda-drivers=580.*", "580.126.09-1"),
        ("cuda-drivers=580.95.05-1", "580.95.05-1"),
        ("libc6:amd64", "2.36-9"),
        ("cuda-drivers<580.126.09~", "580.95.05-1"),
        ("cuda-drivers<590", "580.126.09-1"),
        ("cuda-drivers<600", "590.10-1"),
    ],
)
def test_a_wish_has_its_candidate(wish, version):
    chosen, missing = candidates.choose(candidates.parse_policy(POLICY), [wish])
    assert list(chosen.values()) == [version] and not missing


def test_a_limit_is_for_this_module_and_not_for_apt():
    policy = candidates.parse_policy(POLICY)
    wishes = ["cuda-drivers<590", "libc6", "nano=7*"]
    assert candidates.exact(wishes, candidates.choose(policy, wishes)[0]) == ["cuda-drivers=580.126.09-1", "libc6", "nano=7*"]
    chosen, missing = candidates.choose(policy, ["cuda-drivers<500"])
    assert chosen == {} and candidates.exact(["cuda-drivers<500"], chosen) == ["cuda-drivers<500"]
    (told,) = candidates.problems(missing, [])
    assert told.startswith("Package cuda-drivers has no version below 500: this host's sources have 590.10-1")


def test_the_preferred_one_counts_where_it_is_below_the_limit():
    policy = {"x": {"candidate": "1.17-1", "versions": ["1.20-1", "1.18-1", "1.17-1"]}}
    assert candidates.choose(policy, ["x<1.19"]) == ({"x": "1.17-1"}, {})


def test_what_there_is_not_is_told_with_what_there_is():
    policy = candidates.parse_policy(POLICY)
    chosen, missing = candidates.choose(policy, ["cuda-drivers=570.1", "mail-transport-agent", "ngnix", "xyzzy"])
    assert chosen == {}
    assert candidates.problems(missing, ["nginx", "nano", "cuda-drivers"]) == [
        "Package cuda-drivers has no version 570.1: this host's sources have 590.10-1, 580.126.09-1, 580.95.05-1. "
        "Wish one of them, or add the source that has it.",
        "Package mail-transport-agent is in no package source of this host. Check the name, or add the source that has it.",
        "Package ngnix is in no package source of this host. Did you mean nginx? If not, add the source that has it.",
        "Package xyzzy is in no package source of this host. Check the name, or add the source that has it.",
    ]
