# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""configure and verify with a part of the hosts, and with roles and groups that cannot be meant."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HOSTS = f"""
all: {{vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}}}
mlinfra_hosts: {{hosts: {{one: , two: }}}}
mlinfra_mlflow: {{hosts: {{SERVERS}}}}
"""


@pytest.fixture
def play(tmp_path):
    def run(name: str, code: int, *arguments: str, servers: str = "one: ") -> str:
        (tmp_path / "hosts.yml").write_text(HOSTS.replace("SERVERS", servers))
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), f"mlinfra.hosts.{name}", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_part_of_the_hosts_is_summed_up_too(play, tmp_path):
    report = tmp_path / "report.json"
    # the server's role alone: the host that is left has nothing to prove
    told = play("verify", 0, "--limit", "two", "-e", "mlinfra_configure=mlflow_server", "-e", f"mlinfra_verify_report={report}")
    assert "1 host: all that is there is proven" in told
    assert list(json.loads(report.read_text())["hosts"]) == ["two"]


def test_a_role_that_there_is_not_is_never_proven(play):
    assert "mlinfra_configure has node_exportr" in play("verify", 2, "-e", "mlinfra_configure=node_exportr")


def test_a_second_server_is_refused_before_anything_is_set_up(play):
    told = play("configure", 2, servers="one: , two: ")
    assert "Group mlinfra_mlflow has one, two: expected one host" in told and "Set up the base" not in told
