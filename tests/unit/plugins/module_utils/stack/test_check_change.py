# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of on_change, data_loss and adopt, each mistake once."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse

A, B, C = "i-0123456789abcdef0", "i-0123456789abcdef1", "i-0123abcd"


@pytest.mark.parametrize(
    ("places", "path", "sentence"),
    [
        ({"pools[1].on_change": "in-place"}, "pools[1].on_change", "one of keep, refuse, in_place and replace belongs here"),
        ({"pools[1].data_loss": "yes"}, "pools[1].data_loss", "one of refused and accepted belongs here"),
        ({"pools[1].adopt": ["web-1"]}, "pools[1].adopt[0]", "is web-1: an instance's id belongs here. Write it like i-0123456789abcdef0"),
        ({"pools[1].adopt": ["i-0123456789"]}, "pools[1].adopt[0]", "an instance's id belongs here"),
        ({"pools[1].adopt": [A, B]}, "pools[1].adopt", "is 2 ids: count is 1, and adopted instances count. Set count to 2 or more"),
        ({"pools[0].adopt": [A, A]}, "pools[0].adopt[1]", "pools[0].adopt[0] has it already"),
        ({"pools[0].adopt": [A], "pools[1].adopt": [A]}, "pools[1].adopt[0]", "pools[0].adopt[0] has it already"),
        (
            {"pools[1].on_change": "in_place", "pools[1].market": ["spot"]},
            "pools[1].on_change",
            "only On-Demand instances change their type, and market has no on_demand",
        ),
        (
            {"pools[0].on_change": "replace", "pools[0].spread": False, "pools[0].adopt": [A]},
            "pools[0].on_change",
            "a pool in one zone is replaced whole, and adopted instances are not",
        ),
        (
            {"pools[0].on_change": "replace", "pools[0].placement": "cluster", "pools[0].adopt": [A]},
            "pools[0].on_change",
            "a pool in one zone is replaced whole, and adopted instances are not",
        ),
    ],
)
def test_a_mistake(wrong, places, path, sentence):
    with pytest.raises(DocumentError) as caught:
        parse(wrong(places))
    [problem] = caught.value.problems
    assert problem.path == path and sentence in problem.sentence, problem.sentence


def test_what_is_left_out_changes_nothing(declaration):
    pool = parse(declaration)[0].pools[0]
    assert (pool.on_change, pool.data_loss, pool.adopt) == ("keep", "refused", ())


def test_what_is_given(wrong):
    given = {"pools[0].on_change": "in_place", "pools[0].data_loss": "accepted", "pools[0].adopt": f"{A}, {C}"}
    pool = parse(wrong(given))[0].pools[0]
    assert (pool.on_change, pool.data_loss, pool.adopt) == ("in_place", "accepted", (A, C))
