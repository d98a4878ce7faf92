# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the tasks that go to a host, by play and role: the callback of `make bench-configure` and of the molecule scenarios.

A finished run adds a line to the file that MLINFRA_REMOTE_TASKS names, when it does: JSON, {playbook: its file, counts: [{play, role (its
name without a collection, empty outside of roles), host, tasks}]}. Each item of a loop counts, skipped tasks and the controller's do not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: remote_tasks
type: aggregate
short_description: Counts the tasks that go to a host
description: By play and role, into the file that MLINFRA_REMOTE_TASKS names.
"""
VARIABLE = "MLINFRA_REMOTE_TASKS"
#: Actions that run on the controller; all others go to the host.
LOCAL = frozenset(
    f"ansible.builtin.{name}"
    for name in "assert debug fail import_role import_tasks include_role include_tasks include_vars meta set_fact set_stats "
    "validate_argument_spec add_host group_by pause".split()
)


def goes_to_the_host(action: str, host: str, delegate_to: str | None = None) -> bool:
    """Whether a task that ran costs a connection."""
    full = action if "." in action else f"ansible.builtin.{action}"
    return full not in LOCAL and "localhost" not in (host, delegate_to)


def most(runs: list[dict]) -> dict[str, int]:
    """{role: tasks on its busiest host in one play} of what finished runs wrote down."""
    found: dict[str, int] = {}
    for run in runs:
        for count in run["counts"]:
            if count["role"]:
                found[count["role"]] = max(found.get(count["role"], 0), count["tasks"])
    return found


def environment(folder: str, path: str) -> dict[str, str]:
    """What makes ansible-playbook use this. folder: this file's; path: of the file that it writes."""
    return {"ANSIBLE_CALLBACK_PLUGINS": folder, VARIABLE: path}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "remote_tasks"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self) -> None:
        super().__init__()
        self.playbook, self.play = "", ""
        self.counts: dict[tuple[str, str, str], int] = {}

    def v2_playbook_on_start(self, playbook) -> None:
        self.playbook = os.path.basename(playbook._file_name)

    def v2_playbook_on_play_start(self, play) -> None:
        self.play = play.get_name()

    def v2_runner_on_ok(self, result) -> None:
        if not result.task.loop:
            self.count(result)

    def v2_runner_item_on_ok(self, result) -> None:
        self.count(result)

    def count(self, result) -> None:
        task, host = result.task, result.host.get_name()
        if isinstance(result.result, Mapping) and result.result.get("skipped"):
            return
        if goes_to_the_host(task.action, host, task.delegate_to):
            role = task._role.get_name().rpartition(".")[2] if task._role else ""
            key = (self.play, role, host)
            self.counts[key] = self.counts.get(key, 0) + 1

    def v2_playbook_on_stats(self, stats) -> None:
        path = os.environ.get(VARIABLE)
        if not path:
            return
        counts = [{"play": play, "role": role, "host": host, "tasks": tasks} for (play, role, host), tasks in sorted(self.counts.items())]
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"playbook": self.playbook, "counts": counts}) + "\n")
