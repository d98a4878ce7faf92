# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that was killed a moment ago made is as young for the next one."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.propagation import FRESH, fresh, window
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found

NOW = 1_800_000_000
SAID = ("ec2:RunInstances", "InvalidParameterValue", "Invalid IAM Instance Profile name")


def profile(created, owned=True):
    return Found("instance_profile", "hosts", "vision-dev-hosts", {}, {}, owned, facts={"created": created})


@pytest.mark.parametrize(
    ("found", "waits"),
    [
        (profile(NOW - FRESH + 1), True),
        (profile(NOW - FRESH), False),
        (profile(NOW - 1, owned=False), False),
        (Found("vpc", "main", "vpc-1", {}, {}, True), False),
    ],
    ids=["young", "old", "somebody else's", "untold"],
)
def test_a_young_profile_is_waited_for(found, waits):
    assert (window(*SAID, fresh([found], NOW), set()) is not None) is waits
