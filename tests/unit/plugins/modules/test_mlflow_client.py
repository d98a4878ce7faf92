# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's account and the server's address, written below a temporary folder."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import stat

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials
from ansible_collections.mlinfra.hosts.plugins.modules import mlflow_client as module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users")
PASSWORD = "a job's password"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder that all users have here; `home["is"]` changes it."""
    place = {"is": str(tmp_path / "home")}

    def account_of(name):
        try:
            entry = list(pwd.getpwnam(name))
        except KeyError:
            return None
        entry[5] = place["is"]
        return pwd.struct_passwd(entry)

    monkeypatch.setattr(module, "account_of", account_of)
    return place


@pytest.fixture
def run(tmp_path, capsys, home):
    """run(**options) -> the module's result."""

    def act(check=False, password=PASSWORD, **options):
        given = {
            "user": getpass.getuser(), "home": str(tmp_path / "home"), "credentials": credentials.render("jobs", password),
            "settings_file": str(tmp_path / "etc" / "mlflow.json"), "tracking_uri": "http://10.0.0.5:5000", **options,
        }  # fmt: skip
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
            module.main()
        out = capsys.readouterr().out
        assert password not in out
        return json.loads(out)

    return act


def test_written_once(run, tmp_path):
    assert run(check=True)["changed"] and not any(tmp_path.iterdir())
    assert run()["changed"] and not run()["changed"]
    file = tmp_path / "home" / ".mlflow" / "credentials"
    assert credentials.parse(file.read_text()) == ("jobs", PASSWORD)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads((tmp_path / "etc" / "mlflow.json").read_text()) == {"tracking_uri": "http://10.0.0.5:5000"}


def test_only_what_differs_is_written(run, tmp_path):
    run()
    told = run(password="another password")
    assert told["files"] == [str(tmp_path / "home" / ".mlflow" / "credentials")]
    assert (told["diff"][0]["before"], told["diff"][0]["after"]) == ("(an account)\n", "(another account)\n")
    assert run(password="another password", tracking_uri="http://x:1")["files"] == [str(tmp_path / "etc" / "mlflow.json")]


def test_missing_user_is_told_and_nothing_is_written(run, tmp_path):
    assert run(user="mlinfra-nobody-here")["user_missing"] is True
    assert not any(tmp_path.iterdir())
    predicted = run(check=True, user="mlinfra-nobody-here")
    assert predicted["changed"] and len(predicted["files"]) == 2


def test_link_that_a_job_has_made_leads_nowhere(run, tmp_path):
    """With the user's own rights alone: nobody's link to root's folder."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (*tmp_path.parents[:3], tmp_path):
        os.chmod(folder, 0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".mlflow").symlink_to(closed)
    assert "cannot be written" in run(user="nobody")["msg"]
    assert not any(closed.iterdir()) and closed.stat().st_uid == 0


def test_user_with_another_home_would_not_find_the_account(run, home, tmp_path):
    home["is"] = "/somewhere/else"
    assert "has the home folder /somewhere/else" in run()["msg"]
    assert not (tmp_path / "home").exists()


def test_text_that_is_no_account(run):
    assert "holds no MLflow account" in run(credentials="nonsense")["msg"]
