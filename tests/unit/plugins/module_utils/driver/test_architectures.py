# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GPU's architecture forbids."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import architectures


@pytest.mark.parametrize(
    ("names", "flavor", "branch"),
    [
        (["ampere"], "open", 580),
        (["ampere", "turing"], "proprietary", 610),
        (["blackwell"], "open", 580),
        (["volta"], "proprietary", 580),
        (["something new"], "open", 999),
        ([], "proprietary", None),
    ],
)
def test_fine(names, flavor, branch):
    assert architectures.problems(names, flavor, branch) == []


@pytest.mark.parametrize(
    ("names", "flavor", "branch", "told"),
    [
        (
            ["volta"],
            "open",
            580,
            "nvidia_driver_flavor is open: this host has a volta GPU, and the open kernel modules begin with",
        ),
        (["Blackwell"], "proprietary", 580, "nvidia_driver_flavor is proprietary: this host has a Blackwell GPU, and it needs the open"),
        (["pascal"], "proprietary", 590, "nvidia_driver_branch is 590: 580 is the last one that knows the pascal GPU"),
        (["kepler"], "proprietary", 535, "nvidia_driver_branch is 535: 470 is the last one"),
        (["blackwell"], "open", 535, "nvidia_driver_branch is 535: 570 is the first one that knows the blackwell GPU"),
    ],
)
def test_refused(names, flavor, branch, told):
    (message,) = architectures.problems(names, flavor, branch)
    assert message.startswith(told)


def test_user_space_alone_has_no_flavor():
    assert architectures.problems(["volta"], "open", 580, kernel_modules=False) == []
