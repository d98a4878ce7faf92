# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tasks count as sent to a host, by what Ansible itself calls the callback with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.callbacks import remote_tasks

PING = {"ansible.builtin.ping": {}}
TASKS = [
    {"name": "Ask", **PING},
    {"name": "Ask twice", "ping": {}, "loop": [1, 2, 3], "when": "item != 2"},
    {"name": "Ask not", **PING, "when": "inventory_hostname == 'two'"},
    {"name": "Look", "ansible.builtin.assert": {"that": True}},
    {"name": "Look at each", "ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": [1, 2]},
    {"name": "Ask the controller", **PING, "delegate_to": "localhost"},
    {"name": "Ask what fails", "ansible.builtin.command": {"argv": ["/bin/false"]}, "failed_when": False, "changed_when": False},
    {"name": "Ask without a word of it", **PING, "no_log": True},
]


def test_what_goes_to_a_host_is_counted_by_play_and_role(tmp_path: Path) -> None:
    (tmp_path / "roles" / "some" / "tasks").mkdir(parents=True)
    (tmp_path / "roles" / "some" / "tasks" / "main.yml").write_text(json.dumps(TASKS))
    play = {"hosts": "one:two", "connection": "local", "gather_facts": False}
    with_python = {"ansible_python_interpreter": sys.executable}
    plays = [
        {"name": "First", **play, "vars": with_python, "roles": ["some"]},
        {"name": "Second", **play, "vars": with_python, "tasks": [{"ansible.builtin.include_role": {"name": "some"}}, PING]},
    ]
    (tmp_path / "site.yml").write_text(json.dumps(plays))
    written = tmp_path / "counts"
    callback = remote_tasks.environment(str(Path(remote_tasks.__file__).parent), str(written))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "one,two,", "site.yml"]
    for _time in range(2):
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **callback}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    runs = [json.loads(line) for line in written.read_text().splitlines()]
    assert len(runs) == 2 and runs[0] == runs[1] and runs[0]["playbook"] == "site.yml"
    counts = {(one["play"], one["role"], one["host"]): one["tasks"] for one in runs[0]["counts"]}
    assert counts == {
        ("First", "some", "one"): 5, ("First", "some", "two"): 6,
        ("Second", "some", "one"): 5, ("Second", "some", "two"): 6, ("Second", "", "one"): 1, ("Second", "", "two"): 1,
    }  # fmt: skip
    assert remote_tasks.most(runs) == {"some": 6} and remote_tasks.most([]) == {}


@pytest.mark.parametrize(
    ("action", "host", "delegate_to", "goes"),
    [
        ("mlinfra.hosts.host_preflight", "gpu-0", None, True),
        ("copy", "gpu-0", None, True),
        ("ansible.builtin.slurp", "gpu-0", "cpu-0", True),
        ("include_tasks", "gpu-0", None, False),
        ("ansible.builtin.set_fact", "gpu-0", None, False),
        ("mlinfra.hosts.aws_stack", "localhost", None, False),
        ("mlinfra.hosts.framework_lock", "gpu-0", "localhost", False),
    ],
)
def test_the_controllers_own_do_not_count(action: str, host: str, delegate_to: str | None, goes: bool) -> None:
    assert remote_tasks.goes_to_the_host(action, host, delegate_to) is goes
