# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""upgrade refuses what could not be done before it looks at repositories, and says so of all hosts at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from scripts import tree
from tests.unit.plugins.module_utils.upgrade.hosts import LATER, pins

HOSTS = {
    "all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}},
    "mlinfra_hosts": {"hosts": {"one": None, "two": None}},
}


@pytest.fixture
def upgrade(tmp_path):
    def run(code: int, *arguments: str, **variables: object) -> str:
        (tmp_path / "hosts.json").write_text(json.dumps(HOSTS))
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), "mlinfra.hosts.upgrade", "-e", json.dumps(variables), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    return run


def test_wrong_settings_are_told_together(upgrade):
    told = upgrade(
        2, upgrade_canary="0", upgrade_batch="all", upgrade_drain_tasks="drain.yml", upgrade_way_back="no", upgrade_pins="/none.yml"
    )
    for sentence in (
        "upgrade_canary is 0: expected a number of hosts, as in 1, or a part of them, as in 10%.",
        "upgrade_batch is all: expected a number of hosts",
        "upgrade_drain_tasks is drain.yml: expected the absolute path of a file with tasks on the controller.",
        "upgrade_drain_tasks is set and upgrade_undrain_tasks is not",
        "upgrade_way_back is no: expected require or try.",
        "upgrade_pins is /none.yml: there is no such file.",
    ):
        assert sentence in " ".join(told.split()), told
    assert "Sum up" not in told and "fatal: [two]" in told


def test_pins_are_wanted(upgrade):
    assert "upgrade_pins is not set, and neither is nvidia_driver_pins" in " ".join(upgrade(2).split())


def test_hosts_without_gpus_are_left_alone(upgrade):
    told = upgrade(0, "--limit", "two", nvidia_driver_pins=pins(LATER))
    assert "no NVIDIA GPU" in told and "Take the host" not in told.replace("skipping", "")


BUSY = [{"pid": 4711, "program": "python3"}]


@pytest.mark.parametrize(
    ("users", "busy", "is_back", "failed", "in_use"),
    [
        ([], "refuse", False, None, False),
        (BUSY, "refuse", False, None, True),
        (None, "refuse", False, None, True),
        (BUSY, "proceed", False, None, False),
        (BUSY, "refuse", True, "install", True),
        (BUSY, "refuse", True, "reboot", True),
        (BUSY, "refuse", True, "verify", False),
    ],
)
def test_a_restart_asks_for_users_unless_the_host_was_restarted_already(users, busy, is_back, failed, in_use):
    known = DataLoader().load_from_file(str(tree.CHECKOUT / "playbooks" / "vars" / "upgrade.yml"), trusted_as_template=True)
    known.update(inventory_hostname="one", ansible_facts={"mlinfra_gpu": {"users": users}}, _upgrade_is_back=is_back, __upgrade_busy=busy)
    known["__upgrade_stage"] = {"record": {"stage": "rollback" if is_back else "reboot", "failed": failed}}
    templar = Templar(DataLoader(), variables=known)
    assert templar.template(known["_upgrade_in_use"]) is in_use
    if users:
        told = templar.template(known["_upgrade_in_use_problem"])
        assert told.startswith("one is not restarted: 1 process uses its GPUs (python3 pid 4711), and the restart would end what they do.")


def test_who_uses_the_gpus_is_asked_right_before_a_restart():
    tasks = DataLoader().load_from_file(str(tree.CHECKOUT / "playbooks" / "tasks" / "upgrade-move.yml"))
    (restart,) = [task["block"] for task in tasks if task["name"] == "Restart it"]
    assert [next(iter(set(task) - {"name", "when", "vars"})) for task in restart] == [
        "mlinfra.hosts.gpu_facts", "ansible.builtin.fail", "ansible.builtin.include_role", "ansible.builtin.reboot",
    ]  # fmt: skip
