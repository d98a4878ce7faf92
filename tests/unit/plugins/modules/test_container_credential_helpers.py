# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' .docker/config.json: helpers come, what is there stays, and nobody else reads it."""

from __future__ import annotations

import json
import os
import stat
from types import SimpleNamespace

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import container_credential_helpers as module

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    homes = {"alice": tmp_path / "alice", "bob": tmp_path / "bob"}
    for home in homes.values():
        home.mkdir()

    def account(name):
        return SimpleNamespace(pw_dir=str(homes[name]), pw_uid=os.getuid(), pw_gid=os.getgid())

    monkeypatch.setattr(module.pwd, "getpwnam", account)

    def answer(check=False, **options):
        arguments = {"users": ["alice", "bob", "alice"], "helpers": {ECR: "ecr-login"}, **options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def test_first_run_writes_and_second_run_changes_nothing(run, tmp_path):
    assert run(check=True)["changed"] and not list(tmp_path.rglob("config.json"))
    first = run()
    assert first["changed_files"] == [str(tmp_path / name / ".docker" / "config.json") for name in ("alice", "bob")]
    path = tmp_path / "alice" / ".docker" / "config.json"
    assert json.loads(path.read_text()) == {"credHelpers": {ECR: "ecr-login"}}
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert not run()["changed"]
    assert run(helpers={ECR: None})["changed"] and json.loads(path.read_text())["credHelpers"] == {}


def test_what_the_user_has_stays_and_is_not_shown(run, tmp_path):
    path = tmp_path / "bob" / ".docker" / "config.json"
    path.parent.mkdir(mode=0o755)
    path.write_text('{"auths": {"ghcr.io": {"auth": "s3cret"}}, "credHelpers": {"gcr.io": "gcloud"}}')
    path.chmod(0o640)
    answer = run()
    assert json.loads(path.read_text()) == {
        "auths": {"ghcr.io": {"auth": "s3cret"}}, "credHelpers": {"gcr.io": "gcloud", ECR: "ecr-login"},
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and "s3cret" not in json.dumps(answer)


def test_not_json_changes_nobody(run, tmp_path):
    path = tmp_path / "bob" / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text("{,}")
    answer = run()
    assert answer["failed"] and f"{path}, line 1, column 2 is not JSON" in answer["msg"]
    assert not (tmp_path / "alice" / ".docker").exists()


def test_a_user_that_is_not_there(run):
    answer = run(users=["carol"])
    assert answer["failed"] and "users has carol: there is no such user on this host" in answer["msg"]
    assert not run(check=True, users=["carol"])["changed"]
