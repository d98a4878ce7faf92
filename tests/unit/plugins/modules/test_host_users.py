# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module where the account files are played back; molecule/host_baseline has it on real hosts."""

from __future__ import annotations

import contextlib
import json
import os
import pwd

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import host_users as module

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt ada"


@pytest.fixture
def users(capsys, monkeypatch, tmp_path):
    """Run the module; 'ada' is whoever runs this, with a home in tmp_path; commands are noted and not run."""
    me = pwd.getpwuid(os.geteuid())
    account = pwd.struct_passwd(("ada", "x", me.pw_uid, me.pw_gid, "", str(tmp_path), "/bin/sh"))
    known = {"exists": True, "shell": "/bin/sh", "group": "users", "groups": ["adm"]}
    commands = []
    monkeypatch.setattr(
        module.accounts, "look", lambda name: known if name == "ada" else {**known, "exists": False, "group": None, "groups": []}
    )
    monkeypatch.setattr(module.pwd, "getpwnam", lambda name: account)
    monkeypatch.setattr(module, "rights_of", lambda account: contextlib.nullcontext())
    monkeypatch.setattr(module, "SUDOERS", str(tmp_path))
    monkeypatch.setattr(module.AnsibleModule, "get_bin_path", lambda self, name, **options: name)
    monkeypatch.setattr(module.AnsibleModule, "run_command", lambda self, command, **options: commands.append(command) or (0, "", ""))

    def answer(*wishes, **options):
        arguments = {"users": list(wishes), "connected_as": "somebody", **options}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out.strip().splitlines()[-1]), "commands": list(commands)}

    return answer


def test_keys_are_added_to_those_that_are_there(users, tmp_path):
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "authorized_keys").write_text("ssh-rsa mine\n")
    wish = {"name": "ada", "ssh_keys": [KEY]}
    assert users(wish)["diff"]["after"]["ada"]["ssh_keys"] == [KEY]
    assert (tmp_path / ".ssh" / "authorized_keys").read_text().startswith("ssh-rsa mine\n#")
    assert users(wish)["changed"] is False


def test_check_mode_predicts_and_writes_nothing(users, tmp_path):
    answer = users({"name": "ada", "ssh_keys": [KEY], "sudo": True}, _ansible_check_mode=True)
    assert answer["users"] == ["ada"] and answer["commands"] == [] and list(tmp_path.iterdir()) == []


def test_sudo_has_a_file_of_its_own_that_goes_again(users, tmp_path):
    assert users({"name": "ada", "sudo": True})["changed"]
    file = tmp_path / "mlinfra-ada"
    assert file.stat().st_mode & 0o777 == 0o440 and "NOPASSWD" in file.read_text() and len(list(tmp_path.iterdir())) == 1
    assert users({"name": "ada", "sudo": True})["changed"] is False
    assert users({"name": "ada"})["changed"] and not file.exists()


def test_a_sudo_file_that_somebody_changed_is_not_taken_for_ours(users, tmp_path):
    (tmp_path / "mlinfra-ada").write_text("ada ALL=(ALL) ALL\n")
    assert users({"name": "ada"})["changed"] and not (tmp_path / "mlinfra-ada").exists()


def test_visudo_has_the_last_word(users, tmp_path, monkeypatch):
    monkeypatch.setattr(module.AnsibleModule, "run_command", lambda self, command, **options: (1, "", "syntax error"))
    answer = users({"name": "ada", "sudo": True})
    assert "visudo finds" in answer["msg"] and list(tmp_path.iterdir()) == []


def test_who_is_connected_is_not_shut_out(users):
    answer = users({"name": "ada", "state": "absent"}, connected_as="ada")
    assert "would shut you out" in answer["msg"] and answer["commands"] == []


def test_what_is_wrong_is_told_for_all_before_anything_is_done(users):
    answer = users({"name": "eve", "shell": "/no/shell"}, {"name": "ada", "shell": "/no/other"})
    assert len(answer["msg"].splitlines()) == 2 and answer["commands"] == []


def test_a_home_that_is_not_there(users, monkeypatch):
    monkeypatch.setattr(module, "keys_file", lambda account: "/no/home/.ssh/authorized_keys")
    monkeypatch.setattr(module.os.path, "isdir", lambda path: False)
    assert "its ssh keys have no place" in users({"name": "ada", "ssh_keys": [KEY]})["msg"]


def test_the_group_that_a_user_has_anyway_is_no_further_one(users):
    assert users({"name": "ada", "groups": ["users", "adm"]})["changed"] is False
    answer = users({"name": "grace", "groups": ["grace"]})
    assert [command[0] for command in answer["commands"]] == ["useradd"] and "--groups" not in answer["commands"][0]
