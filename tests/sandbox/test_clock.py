# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to the emulated AWS is answered of one moment, however long it takes and whatever moves on meanwhile."""

from __future__ import annotations

import time

import pytest

from sandbox.aws.context import CURRENT
from sandbox.aws.patches.lifecycle import TimedState
from sandbox.aws.timing import TIMING


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> TimedState:
    monkeypatch.setattr(CURRENT, "began", 100.0)
    one = TimedState()
    one.die()
    return one


def test_a_state_stays_as_it_is_while_a_request_is_answered(state: TimedState, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer had the state of the moment after the death, and no reason, which it had read a moment before."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + TIMING.pending)
    assert state.name == "pending"
    CURRENT.began = None
    assert (state.name, state.code) == ("terminated", 48)


def test_a_later_request_does_not_move_an_earlier_one_on(state: TimedState, monkeypatch: pytest.MonkeyPatch) -> None:
    CURRENT.began = 100.0 + TIMING.pending
    assert state.name == "terminated"
    CURRENT.began = 100.0
    assert state.name == "pending"
