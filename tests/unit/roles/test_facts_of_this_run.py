# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No role works from what a fact cache (AWX keeps one) says of a host: it may have another system or driver since then."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"
FALSE = {
    "mlinfra_platform": {"distribution": "cached", "os_family": "cached", "platform_names": ["cached-1"], "architecture": "x86_64"},
    "mlinfra_gpu": {"present": True, "driver_state": "absent", "models": ["cached"]},
}
ENTRIES = {
    "mlinfra_platform": [("nvidia_driver", "platform.yml"), ("node_exporter", "facts.yml"), ("efa", "platform.yml")],
    "mlinfra_gpu": [("mig", "gpu.yml"), ("container_runtime", "gpu.yml"), ("mig", "gpu.yml")],
}


def roles_tasks():
    return sorted(path for path in ROLES.rglob("tasks/*.yml"))


@pytest.mark.parametrize("fact", sorted(FALSE))
def test_no_task_asks_for_the_fact(fact):
    asked = re.compile(rf"{fact}'\] is (not )?defined")
    found = {str(path.relative_to(ROLES)) for path in roles_tasks() if asked.search(path.read_text())}
    assert found <= {"cuda_toolkit/tasks/preflight.yml"}  # which asks for what this run registered, too


def includes(fact):
    """The tasks that include these files, as the roles have them."""
    mark = {"mlinfra_platform": "__mlinfra_platform_read", "mlinfra_gpu": "__mlinfra_gpu_read"}[fact]
    tasks = []
    for role, name in ENTRIES[fact]:
        asking = [path for path in (ROLES / role / "tasks").glob("*.yml") if f"include_tasks: {name}" in path.read_text()]
        condition = re.search(rf"include_tasks: {name}\n +when: ([^#\n]*)", asking[0].read_text())[1].strip()
        assert mark in condition
        tasks.append({"ansible.builtin.include_tasks": str(ROLES / role / "tasks" / name), "when": condition})
    return tasks


@pytest.fixture
def play(tmp_path):
    """Function (plays) → what was printed; runs of one test share their fact cache."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"gpu1": {**host, "container_runtime_nvidia": "auto"}}}}))
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "cache")}

    def run(*plays):
        keywords = {"hosts": "all", "gather_facts": False, "module_defaults": {"mlinfra.hosts.host_preflight": {"systemd": False}}}
        (tmp_path / "play.json").write_text(json.dumps([{**keywords, "tasks": tasks} for tasks in plays]))
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.json")]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env={**os.environ, **cache})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("fact", sorted(FALSE))
def test_an_earlier_runs_fact_is_read_over_once(play, fact):
    play([{"ansible.builtin.set_fact": {"cacheable": True, **FALSE}}])
    say = {"ansible.builtin.debug": {"msg": f"it is <{{{{ ansible_facts['{fact}'] | to_json }}}}>"}}
    for of_before in (True, False):  # the second one has the cache that the first one left
        # The second play is as another entry of the roles, in the same run.
        told = play([say, *includes(fact), say], includes(fact))
        before, after = re.findall(r"it is <(.*?)>", told, re.DOTALL)
        assert ("cached" in before) is of_before and "cached" not in after
        assert len(re.findall(r"TASK \[(?:Look for GPUs|Read which platform this is)\]", told)) == 1, told
