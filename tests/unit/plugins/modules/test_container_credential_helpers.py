# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' .docker/config.json: helpers come, what is there stays, and nobody else reads it."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
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
        return SimpleNamespace(pw_name=name, pw_dir=str(homes[name]), pw_uid=os.getuid(), pw_gid=os.getgid())

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


@pytest.fixture
def other(run, monkeypatch):
    """The home of alice, who is not root: in a folder that she may pass through."""
    if os.geteuid() != 0:
        pytest.skip("only root has another user's rights")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        home = Path(folder, "alice")
        home.mkdir()
        os.chown(home, 65534, 65534)
        account = SimpleNamespace(pw_name="nobody", pw_dir=str(home), pw_uid=65534, pw_gid=65534)
        monkeypatch.setattr(module.pwd, "getpwnam", lambda name: account)
        yield home


def own(path):
    os.chown(path, 65534, 65534, follow_symlinks=False)
    return path


def docker_folder(home):
    folder = home / ".docker"
    folder.mkdir()
    return own(folder)


def test_all_is_done_with_the_rights_of_the_user(run, other, tmp_path):
    assert run(check=True, users=["nobody"])["changed"] and not (other / ".docker").exists()
    assert run(users=["nobody"])["changed"]
    for path in (other / ".docker", other / ".docker" / "config.json"):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
    assert not run(users=["nobody"])["changed"]
    assert (os.geteuid(), os.getegid()) == (0, 0), "root again afterwards"


@pytest.mark.parametrize("there", [None, '{"live-restore": true}', '{"auths": {"ghcr.io": {"auth": "s3cret"}}}'])
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("mode", [0o644, 0o600])
@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_to_what_is_roots_is_refused(run, other, tmp_path, linked, mode, check, there):
    roots = other.parent / "etc"
    roots.mkdir()
    target = roots / "config.json"
    if there:
        target.write_text(there)
        target.chmod(mode)
    if linked == "file":
        (docker_folder(other) / "config.json").symlink_to(target)
    else:
        (other / ".docker").symlink_to(roots)
    answer = run(check=check, users=["nobody"])
    assert answer["failed"] and f"which leads to {target}, cannot be used with the rights of nobody" in answer["msg"]
    assert "Remove the link" in answer["msg"] and "s3cret" not in json.dumps(answer)
    assert [file.name for file in roots.iterdir()] == (["config.json"] if there else [])
    assert not there or (target.read_text() == there and target.stat().st_uid == 0)


def test_a_link_into_a_folder_that_root_alone_may_read(run, other):
    roots = other.parent / "secret"
    roots.mkdir(mode=0o700)
    (docker_folder(other) / "config.json").symlink_to(roots / "config.json")
    assert f"nothing can be written in {roots}" in run(users=["nobody"])["msg"] and not list(roots.iterdir())


def test_a_link_to_what_is_the_users_own_is_followed(run, other):
    own_file = other / "dotfiles.json"
    own_file.write_text('{"detachKeys": "ctrl-x"}')
    own(own_file)
    link = docker_folder(other) / "config.json"
    link.symlink_to(own_file)
    assert run(users=["nobody"])["changed"] and link.is_symlink()
    assert json.loads(own_file.read_text()) == {"detachKeys": "ctrl-x", "credHelpers": {ECR: "ecr-login"}}
    assert not run(users=["nobody"])["changed"]


def test_a_file_that_sudo_docker_login_left_is_refused_by_name(run, other):
    path = docker_folder(other) / "config.json"
    path.write_text("{}")
    assert "it belongs to root. Nothing was changed." in run(users=["nobody"])["msg"]
    path.chmod(0o600)
    assert "Permission denied. Nothing was changed." in run(users=["nobody"])["msg"]
    assert path.read_text() == "{}"


def test_a_pipe_holds_up_nobody(run, other):
    os.mkfifo(docker_folder(other) / "config.json")
    own(other / ".docker" / "config.json")
    assert "expected a file of settings" in run(users=["nobody"])["msg"]
