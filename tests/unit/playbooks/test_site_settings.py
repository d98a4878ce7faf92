# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""site refuses what no role would take, before it asks AWS for anything."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LOCALHOST = f"mlinfra_controller: {{hosts: {{localhost: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}}}}}\n"


@pytest.fixture
def site(tmp_path):
    def run(hosts: str, *arguments: str) -> str:
        (tmp_path / "group_vars").mkdir()
        (tmp_path / "controller.yml").write_text(LOCALHOST)
        (tmp_path / "group_vars" / "mlinfra_hosts.yml").write_text(hosts)
        command = ["ansible-playbook", "-i", str(tmp_path), "mlinfra.hosts.site", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS")}
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout

    return run


def test_wrong_values_of_hosts_and_command_line_are_told_before_the_account_is_read(site):
    told = site("mlflow_server_database: plum\nnode_exporter_listen_address: '{{ mlinfra_private_ip }}'\n", "-e", "node_exporter_port=abc")
    assert "mlflow_server_database must be one of" in told and "node_exporter_port" in told
    assert "node_exporter_listen_address" not in told, "what a host computes for itself is the host's"
    assert "Reconcile the stack" not in told


def test_roles_that_are_not_to_run_are_not_looked_at(site):
    told = site("mlflow_server_database: plum\n", "-e", "mlinfra_configure=node_exporter")
    assert "mlflow_server_database" not in told
