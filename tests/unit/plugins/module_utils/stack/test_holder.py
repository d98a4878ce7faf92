# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead holder is told from a living one, and nothing is said of processes elsewhere."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.holder import is_dead, myself


def test_a_living_process_is_not_dead():
    assert not is_dead(myself())


def test_a_process_that_ended_is_dead():
    with ProcessPoolExecutor(1) as pool:
        holder = pool.submit(myself).result()
        assert not is_dead(holder)
    assert is_dead(holder)


def test_another_process_of_the_same_number_is_not_the_holder():
    assert is_dead({**myself(), "started": "1"})


@pytest.mark.parametrize("holder", [None, {}, "somebody", {"place": "another machine", "pid": 1, "started": "1"}])
def test_a_holder_elsewhere_or_unknown_is_never_taken_for_dead(holder):
    assert not is_dead(holder)
