# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's end: what is left is tried again, told, and remembered by the next run."""

from __future__ import annotations

import json
import sys

import pytest

from smoke import course, leftovers
from smoke.wish import wish_of

ASKED = {"ACCOUNT": "111122223333", "MAX_USD": "2", "CIDR": "203.0.113.7/32", "YES": "1"}


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run whose playbooks do nothing, and the answers that the account gives one after the other, the last one for ever."""
    wish, _problems = wish_of(ASKED, {}, sandbox=False, attended=False)
    monkeypatch.setattr(course, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(course.Course, "_playbook", lambda self, *dummy, **more: [sys.executable, "-c", "pass"])
    monkeypatch.setattr(course.versions, "read", lambda checkout: {})
    found = course.Course(wish, None, lambda question: True, lambda: {"hush": "<credentials>"}, tmp_path)
    monkeypatch.setattr(found, "_before", lambda: True)
    monkeypatch.setattr(found, "_kept", {"plan": {"plan_id": "0"}, "again": {"changed": False}}.get)
    monkeypatch.setattr(found.steps, "listen", lambda: None)
    return found


def answers(monkeypatch, *given):
    left = list(given)

    def find(*dummy):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(leftovers, "find", find)


def told(begun) -> dict:
    return json.loads((begun.folder / "report.json").read_text())


def names(begun) -> list[str]:
    return [one["name"] for one in told(begun)["steps"]]


def test_what_is_left_after_the_first_removal_is_removed_again(begun, monkeypatch):
    answers(monkeypatch, [leftovers.Left("volume", "vol-1")], [])
    assert begun.run() == 1  # not 0: a step failed on the way
    assert names(begun)[-4:] == ["Destroy", "Nothing is left", "Destroy again (2)", "Nothing is left"]
    assert told(begun)["left"] == [] and told(begun)["verdict"].startswith("failed: Nothing is left.")
    assert course.unfinished(begun.runs) == [] and not begun.key.exists()


def test_what_stays_is_told_and_the_next_run_knows(begun, monkeypatch):
    answers(monkeypatch, [leftovers.Left("instance", "i-1", "running")])
    assert begun.run() == 3
    assert names(begun).count("Nothing is left") == 3
    assert told(begun)["left"] == ["instance i-1 (running)"] and any("terminate-instances" in line for line in told(begun)["advice"])
    assert course.unfinished(begun.runs) == [begun.folder / "inventory"] and begun.key.exists()


def test_an_account_that_cannot_be_read_is_not_taken_for_empty(begun, monkeypatch):
    answers(monkeypatch, RuntimeError("ExpiredToken for 111122223333, hush"))
    assert begun.run() == 3
    assert told(begun)["left"] is None and told(begun)["advice"]
    assert "ExpiredToken for …3333, <credentials>" in told(begun)["left_problem"]


def test_a_mistake_of_this_program_removes_what_was_made(begun, monkeypatch):
    answers(monkeypatch, [])
    monkeypatch.setattr(begun, "_unchanged", lambda: 1 / 0)
    assert begun.run() == 1
    assert names(begun)[-3:] == ["This program", "Destroy", "Nothing is left"]
    assert told(begun)["left"] == []


def test_without_consent_nothing_is_made_or_removed(begun, monkeypatch):
    answers(monkeypatch, [])
    monkeypatch.setattr(begun, "_before", lambda: setattr(begun, "refused", True))
    assert begun.run() == 1
    assert names(begun) == [] and told(begun)["cost"]["estimate"] == 0
    assert course.unfinished(begun.runs) == []
