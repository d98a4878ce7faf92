# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Same predictions, and all the ways to differ."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.job.compare import differences

TRAINED = {"classes": [3, 7], "probabilities": [[0.25, 0.75], [1e-14, 1.0]]}


def predicted(**changes):
    return {**TRAINED, **changes}


def test_the_same_is_the_same():
    assert differences(TRAINED, predicted(), 0.0) == []


def test_a_last_digit_and_what_is_as_good_as_nothing_may_differ():
    near = predicted(probabilities=[[0.25 + 1e-13, 0.75], [3e-14, 1.0]])
    assert differences(TRAINED, near, 1e-9) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": [3, 8]}, "row 1 is 8 instead of 7"),
        ({"classes": [3]}, "1 rows instead of 2"),
        ({"probabilities": [[0.25, 0.75], [0.0, 0.999]]}, "a probability in row 1 is 0.999 instead of 1.0"),
        ({"probabilities": [[0.25], [1e-14, 1.0]]}, "row 0 has 1 probabilities instead of 2"),
        ({"probabilities": [[0.25, 0.75]]}, "probabilities of 1 rows instead of 2"),
        ({"probabilities": [[float("nan"), 0.75], [1e-14, 1.0]]}, "a probability in row 0 is nan instead of 0.25"),
    ],
)
def test_differences_are_told(changes, told):
    assert differences(TRAINED, predicted(**changes), 1e-9) == [told]


def test_many_differences_are_counted():
    many = {"classes": list(range(9)), "probabilities": []}
    assert differences(many, {"classes": [9] * 9, "probabilities": []}, 0)[-1] == "and 6 more"
