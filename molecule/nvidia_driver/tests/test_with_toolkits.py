# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver of the distribution beside CUDA toolkits of NVIDIA's repository: each role leaves the other its files."""

from __future__ import annotations

import json
from pathlib import Path

from plays import changes, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
HOST = "debian-bookworm-0"
LOOK = """#!/bin/sh
set -e
cat /etc/apt/sources.list.d/mlinfra-nvidia.sources
echo "said: $(dpkg-query -W -f '${Version}' cuda-libraries-12-8) $(apt-cache policy libcuda1 | sed -n 's/^  Candidate: //p')"
"""


def changed(folder, *roles, host=HOST, **others):
    """How many tasks of these roles, one after the other, changed something on a host. others: more variables."""
    tasks = [{"name": f"Run {role}", "ansible.builtin.include_role": {"name": f"mlinfra.hosts.{role}"}} for role in roles]
    wishes = {"cuda_toolkit_versions": ["12.8"], "cuda_toolkit_profile": "runtime", **others}
    playbook = folder / "roles.yml"
    playbook.write_text(json.dumps([{"name": "Run roles", "hosts": host, "gather_facts": False, "vars": wishes, "tasks": tasks}]))
    done = play(SCENARIO, playbook)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return changes(done.stdout)[host]


def test_a_second_run_changes_nothing_whichever_comes_first(tmp_path):
    assert changed(tmp_path, "cuda_toolkit") > 0
    assert changed(tmp_path, "nvidia_driver", "cuda_toolkit", "nvidia_driver") == 0
    path = tmp_path / "look.sh"
    path.write_text(LOOK)
    text, _said, versions = on_hosts(SCENARIO, [HOST], {"cmd": str(path)}, tmp_path)[HOST].partition("said: ")
    toolkit, driver = versions.split()
    assert "Signed-By: /etc/apt/keyrings/mlinfra-nvidia.gpg" in text and toolkit == "12.8.1-1"
    assert driver.startswith("535."), "the driver would move to NVIDIA's"
