# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps end in time and when somebody says stop, and what was made is removed nevertheless."""

from __future__ import annotations

import sys
import time

import pytest

from smoke.steps import StepError, Steps, said

LOG = """
TASK [Reconcile the stack] ***
[ERROR]: Task failed: Module failed: first
fatal: [localhost]: FAILED! =>
    msg: account_id is 111122223333
PLAY RECAP ***
localhost : ok=1 failed=1
"""


@pytest.fixture
def steps(tmp_path):
    return Steps(tmp_path, time.monotonic() + 60)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_step_is_shown_kept_and_judged_by_its_exit_code(steps, capfd):
    assert steps.run("Say it", python("print('it')")) and not steps.failed
    assert "it\n" in capfd.readouterr().out
    assert (steps.folder / "logs" / "01-say-it.log").read_text() == "it\n"
    assert not steps.run("Break it", python("import sys; sys.exit('fatal: no')"))
    assert (steps.done[-1].state, steps.done[-1].detail) == ("failed", "exit code 1: fatal: no") and steps.failed


def test_a_step_ends_when_the_time_of_the_run_is_over(steps):
    steps.deadline = time.monotonic()
    assert not steps.run("Wait", python("import time; time.sleep(600)"))
    assert steps.done[-1].detail == "its time was over"


def test_a_step_ends_when_somebody_says_stop_but_removing_does_not(steps):
    steps.stopped = "SIGINT"
    assert not steps.run("Wait", python("import time; time.sleep(600)"))
    assert steps.done[-1].detail == "SIGINT"
    assert steps.run("Destroy", python("pass"), limit=60)


def test_only_the_first_signal_counts_and_none_while_removing(steps):
    steps._on_signal(2, None)
    steps._on_signal(15, None)
    assert steps.stopped == "SIGINT"
    steps.stopped, steps.removing = "", True
    steps._on_signal(15, None)
    assert steps.stopped == ""


def test_a_step_in_this_process_fails_with_its_reason(steps):
    def work() -> str:
        raise StepError("there is none")

    assert not steps.call("Look", work)
    assert (steps.done[-1].state, steps.done[-1].detail) == ("failed", "there is none")
    assert steps.call("Look", lambda: "three")
    assert (steps.done[-1].state, steps.done[-1].detail) == ("done", "three")


def test_the_reason_of_a_playbook_is_its_last_failure():
    assert said(LOG) == "fatal: [localhost]: FAILED! => msg: account_id is 111122223333"
    assert said("\n".join(f"line {number}" for number in range(20))).startswith("line 8 line 9")
    assert said("") == ""
    assert len(said("fatal: " + "x" * 5000)) < 1300
