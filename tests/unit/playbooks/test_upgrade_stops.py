# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No host of a later batch is begun after one that failed, whichever host that was and however it failed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"
HOST = yaml.safe_load((PLAYBOOKS / "tasks" / "upgrade-host.yml").read_text())
UPGRADE = yaml.safe_load((PLAYBOOKS / "upgrade.yml").read_text())
GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=2"}
NAMES = ["a", "b", "c", "d", "e"]

# As upgrade-host.yml, with what it does on a host left out: what it keeps is the host's own variable.
TASKS = [
    {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} begins"}},
    {"ansible.builtin.fail": {"msg": "hard"}, "when": "breaks | default(false)"},
    {"ansible.builtin.ping": {}, "when": "silent | default(false)"},
    {"ansible.builtin.set_fact": {"__upgrade_outcome": "{{ outcome | default({'failed': false}) }}"}},
    HOST[-1],
]


@pytest.fixture
def begun(tmp_path):
    """Function ({host: variables}, sizes of the batches) → hosts that were begun."""

    def run(hosts, sizes):
        everywhere = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
        inventory = {"all": {"vars": everywhere, "hosts": {name: hosts.get(name) for name in NAMES}}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory))
        (tmp_path / "host.json").write_text(json.dumps(TASKS))
        (take,) = UPGRADE[2]["tasks"]
        play = {
            **{name: UPGRADE[2][name] for name in ("name", "gather_facts", "strategy")},
            "hosts": "all",
            "serial": sizes,
            "vars_files": [str(PLAYBOOKS / "vars" / "upgrade.yml")],
            "vars": {"__upgrade_plan": {"action": "upgrade"}},
            "tasks": [{**take, "ansible.builtin.include_tasks": str(tmp_path / "host.json")}],
        }
        (tmp_path / "play.json").write_text(json.dumps([play]))
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.json")]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr and "ERROR" not in done.stderr, done.stdout + done.stderr
        return "".join(name for name in NAMES if f"{name} begins" in done.stdout)

    return run


@pytest.mark.parametrize(
    ("hosts", "sizes", "expected"),
    [
        ({}, [1, 2], "abcde"),
        ({"a": {"outcome": {"failed": True}}}, [1, 2], "a"),
        ({"c": {"outcome": {"failed": True}}}, [1, 2], "abc"),
        ({"c": {"breaks": True}}, [1, 2], "abc"),
        ({"b": {"silent": True, **GONE}}, [1, 2], "abc"),
        # The host that it is noted on has gone.
        ({"a": {"silent": True, **GONE}, "b": {"outcome": {"failed": True}}}, [2, 1], "ab"),
        ({"a": GONE, "c": {"outcome": {"failed": True}}}, [1, 2], "abc"),
    ],
)
def test_nothing_is_begun_after_a_failure(begun, hosts, sizes, expected):
    assert begun(hosts, sizes) == expected
