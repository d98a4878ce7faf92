# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database for a service, against psql replaced at the one place that runs it."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import postgresql_peer_database as module


class Cluster:
    """A PostgreSQL that knows roles and databases."""

    def __init__(self, silent=0):
        self.state, self.silent, self.ran = {"role": None, "database": None, "version": "15.14"}, silent, []

    def __call__(self, _program, _port, sql):
        if self.silent:
            self.silent -= 1
            raise module.PsqlError("could not connect to server", 2)
        if sql.startswith("SELECT"):
            return json.dumps(self.state)
        self.ran.append(sql)
        if sql.startswith("CREATE ROLE"):
            self.state["role"] = {"login": True, "superuser": False}
        if sql.startswith("CREATE DATABASE"):
            self.state["database"] = {"owner": "mlflow", "encoding": "UTF8"}
        return ""


@pytest.fixture
def run(monkeypatch, capsys):
    """run(cluster, **options) -> the module's result; without a cluster, psql is not installed."""

    def act(cluster=None, check=False, **options):
        monkeypatch.setattr(module.AnsibleModule, "get_bin_path", lambda *_unused, **_options: cluster and "/usr/bin/psql")
        monkeypatch.setattr(module, "psql", cluster)
        given = {"role": "mlflow", "database": "mlflow", "wait": 5, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return act


def test_made_once(run):
    cluster = Cluster()
    assert run(cluster, check=True)["changed"] and not cluster.ran
    first = run(cluster)
    assert first["changed"] and first["statements"] == cluster.ran and len(cluster.ran) == 3
    assert "CREATE ROLE mlflow LOGIN;" in first["diff"]["after"]
    assert not run(cluster)["changed"]


def test_predicted_before_postgresql_is_there(run):
    told = run(check=True)
    assert told["changed"] and told["version"] is None


def test_server_that_is_just_starting_is_waited_for(run):
    assert run(Cluster(silent=1))["changed"]


def test_server_that_stays_silent_is_named(run):
    assert "through its socket (port 5432) as user postgres: could not connect" in run(Cluster(silent=99), wait=0)["msg"]


def test_bad_names_and_foreign_databases_are_refused(run):
    assert "role is 'a;b'" in run(Cluster(), role="a;b")["msg"]
    cluster = Cluster()
    cluster.state["database"] = {"owner": "other", "encoding": "UTF8"}
    assert "belongs to other" in run(cluster)["msg"] and not cluster.ran
