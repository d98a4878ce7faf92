# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that the tests of a scenario run, and what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path


def play(scenario: Path, *arguments: str | Path) -> subprocess.CompletedProcess:
    """A finished ansible-playbook in a scenario's inventory."""
    command = ["ansible-playbook", "-i", scenario / "inventory", *arguments]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def results(output: str, pattern: str) -> dict[str, dict]:
    """{host: result} of the lines that ``pattern`` matches, up to the JSON behind."""
    decoder = json.JSONDecoder()
    return {match.group(1): decoder.raw_decode(output[match.end() :])[0] for match in re.finditer(pattern, output, re.MULTILINE)}


def failures(output: str) -> dict[str, str]:
    """{host: message} of the tasks that failed."""
    return {name: result["msg"] for name, result in results(output, r"^fatal: \[([\w-]+)\]: FAILED! => ").items()}


def changes(output: str) -> dict[str, int]:
    """{host: number of changed tasks} of the recap."""
    return {name: int(number) for name, number in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)}


def on_hosts(scenario: Path, hosts: Iterable[str], script: dict, folder: Path, restarting: bool = False) -> dict[str, str]:
    """{host: what a script prints there, as root}. script: arguments of ansible.builtin.script; folder: for the playbook.

    restarting: the hosts may be on their way down, or up; no connection from before is used.
    """
    playbook = folder / "script.yml"
    task = {"name": "Run", "ansible.builtin.script": script}
    tasks = [{"name": "Wait", "ansible.builtin.wait_for_connection": {"timeout": 120}}, task] if restarting else [task]
    where = {"hosts": ",".join(hosts), "gather_facts": False, "become": True, "vars": {"ansible_ssh_args": "-C"} if restarting else {}}
    playbook.write_text(json.dumps([{"name": "Run", **where, "tasks": tasks}]))
    done = play(scenario, "-v", playbook)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return {name: result["stdout"] for name, result in results(done.stdout, r"^changed: \[([\w-]+)\] => ").items()}
