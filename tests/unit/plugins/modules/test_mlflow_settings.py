# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a server, written below a temporary folder. MLflow's own Python is replaced at the one place that runs it."""

from __future__ import annotations

import json
import os
import pwd
import stat

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials, installing, probe
from ansible_collections.mlinfra.hosts.plugins.modules import mlflow_settings as module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users")
SECRET = "postgresql://mlflow:topsecret@db/mlflow"


@pytest.fixture
def tried(monkeypatch):
    """What the script was given, call by call; `answer` in it is what it says."""
    calls = {"given": [], "answer": lambda given: {"stop": False, "did": ["tracking schema made"]}}

    def run(_python, _user, given):
        calls["given"].append(given)
        return calls["answer"](given)

    monkeypatch.setattr(probe, "run", run)
    return calls


@pytest.fixture
def run(tmp_path, capsys, tried):
    """run(**options) -> the module's result."""

    def act(check=False, **options):
        given = {
            "python": "/nowhere/python", "environment_sha256": "1", "user": "root", "folder": str(tmp_path / "etc"),
            "data": str(tmp_path / "var"), "unit": "mlinfra-none.service", "unit_file": str(tmp_path / "mlflow.service"),
            "unit_content": "[Unit]\n", "database_url": SECRET, "auth_database_url": SECRET, "artifacts": str(tmp_path / "artifacts"),
            **options,
        }  # fmt: skip
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
            module.main()
        out = capsys.readouterr().out
        kept = [path.read_text() for path in (tmp_path / "etc").glob("*.ini*")] if (tmp_path / "etc").exists() else []
        for secret in ("topsecret", *(line.partition(" = ")[2] for text in kept for line in text.splitlines() if "password" in line)):
            assert secret not in out
        return json.loads(out)

    return act


def account(tmp_path, name):
    return credentials.parse((tmp_path / "etc" / name).read_text())


def test_bare_host_in_check_mode(run, tmp_path, tried):
    told = run(check=True)
    assert told["changed"] and told["restart_pending"]
    assert [os.path.basename(path) for path in told["files"]] == ["admin.ini", "job.ini", "mlflow.env", "basic_auth.ini", "mlflow.service"]
    assert not any(tmp_path.iterdir()) and not tried["given"]


def test_written_once(run, tmp_path, tried):
    first = run()
    assert first["changed"] and first["restart_pending"] and first["prepared"] == ["tracking schema made"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "etc").iterdir()}
    assert modes == {
        "admin.ini": 0o600, "job.ini": 0o600, "mlflow.env": 0o600, "basic_auth.ini": 0o640, "prepared": 0o600, "restart-pending": 0o600,
    }  # fmt: skip
    assert account(tmp_path, "admin.ini")[1] != account(tmp_path, "job.ini")[1]
    given = tried["given"][0]
    assert given["database"] == SECRET.replace("postgresql:", "postgresql+psycopg2:") and given["admin"]["replace"]
    again = run()
    assert not again["changed"] and again["restart_pending"], "nobody has restarted the service yet"
    (tmp_path / "etc" / "restart-pending").unlink()
    assert not run()["restart_pending"] and len(tried["given"]) == 1


def test_what_does_not_work_changes_nothing(run, tmp_path, tried):
    run()
    before = {path: path.read_text() for path in (tmp_path / "etc").iterdir()}

    def refuse(_given):
        raise probe.PrepareError("no such bucket")

    tried["answer"] = refuse
    assert run(artifacts="s3://bucket")["msg"] == "no such bucket"
    assert {path: path.read_text() for path in (tmp_path / "etc").iterdir()} == before


def test_folder_with_files_of_others_is_not_taken(run, tmp_path, tried):
    mount = tmp_path / "artifacts"
    (mount / "lost+found").mkdir(parents=True)
    os.chown(mount, 65534, 65534)
    (mount / "theirs").write_text("")
    for check in (True, False):
        assert "has theirs in it and does not belong to user root" in run(check=check)["msg"]
    assert mount.stat().st_uid == 65534 and not tried["given"]
    (mount / "theirs").unlink()
    assert run()["changed"] and mount.stat().st_uid == 0


def test_link_that_the_service_has_made_leads_nowhere(run, tmp_path):
    closed, data = tmp_path / "closed", tmp_path / "var"
    for folder in (*tmp_path.parents[:3], tmp_path):
        os.chmod(folder, 0o755)
    closed.mkdir(mode=0o700)
    data.mkdir(mode=0o700)
    os.chown(data, *pwd.getpwnam("daemon")[2:4])
    (data / "artifacts").symlink_to(closed)
    assert "cannot be written" in run(user="daemon", artifacts=str(data / "artifacts"))["msg"]
    assert closed.stat().st_uid == 0 and stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_user_without_a_group_of_its_name(run):
    assert "user and a group of that name" in run(user="nobody")["msg"]


def test_service_is_stopped_for_an_upgrade_and_only_then(run, tried, monkeypatch):
    run()
    tried["given"].clear()
    tried["answer"] = lambda given: {"stop": given["running"], "did": [] if given["running"] else ["upgraded"]}
    calls = []
    monkeypatch.setattr(module.AnsibleModule, "run_command", lambda _self, command, **_options: calls.append(command[1]) or (0, "", ""))
    assert run(environment_sha256="2")["prepared"] == ["upgraded"]
    assert calls == ["is-active", "stop"] and [given["running"] for given in tried["given"]] == [True, False]


def test_other_admin_password_waits_for_the_server(run, tmp_path):
    run(admin_password="the first password")
    told = run(admin_password="the second password")
    assert told["admin_password_pending"] and told["files"] == [str(tmp_path / "etc" / "admin.ini.new")]
    assert account(tmp_path, "admin.ini") == ("admin", "the first password")
    assert account(tmp_path, "admin.ini.new") == ("admin", "the second password")


def test_lost_account_is_set_anew(run, tmp_path, tried):
    run()
    (tmp_path / "etc" / "admin.ini").unlink()
    run()
    assert [given["admin"]["replace"] for given in tried["given"]] == [True, True]
    assert tried["given"][1]["admin"]["password"] == account(tmp_path, "admin.ini")[1] != tried["given"][0]["admin"]["password"]


def test_file_that_is_no_account(run, tmp_path):
    run()
    (tmp_path / "etc" / "job.ini").write_text("nonsense")
    assert "job.ini holds no MLflow account" in run()["msg"]


@pytest.mark.parametrize(
    ("stored", "wished", "unfinished", "decided"),
    [
        (None, None, False, ("made", None)),
        (None, "given", False, ("given", None)),
        ("old", None, False, ("old", None)),
        ("old", "old", False, ("old", None)),
        ("old", "new", False, ("old", "new")),
        ("old", "old", True, ("old", "old")),
    ],
)
def test_account_decision(stored, wished, unfinished, decided):
    assert installing.decide_account(stored, wished, unfinished, make=lambda: "made") == decided


def test_problem_is_told_with_its_setting_and_without_the_password():
    given = {"bucket": "b", "endpoint_url": None, "database": SECRET}
    assert "db/mlflow cannot be used: refused. Check mlflow_server_database" in probe.sentence(
        {"about": "database", "text": "refused"}, given
    )
    assert probe.sentence({"about": "bucket", "text": "access is denied"}, given).startswith(
        "mlflow_server_artifacts is in the bucket b: access is denied."
    )
    assert "restore a backup" in probe.sentence({"about": "schema", "text": "newer"}, given)
    assert probe.place("sqlite:////var/lib/x.db") == "/var/lib/x.db"
    assert probe.place("postgresql+psycopg2://mlflow@/mlflow?host=/run") == "mlflow on the local socket"
