# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead holder is told from a living one, and nothing is said of processes elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.holder import is_dead, myself


def test_a_living_process_is_not_dead():
    assert not is_dead(myself())


def test_a_process_that_ended_is_dead():
    code = "from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.holder import myself; import json; print(json.dumps(myself()))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert is_dead(__import__("json").loads(ended.stdout))


def test_another_process_of_the_same_number_is_not_the_holder():
    assert is_dead({**myself(), "started": "1"})


@pytest.mark.parametrize("holder", [None, {}, "somebody", {"place": "another machine", "pid": 1, "started": "1"}])
def test_a_holder_elsewhere_or_unknown_is_never_taken_for_dead(holder):
    assert not is_dead(holder)
