# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a user, and what never is."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import users

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt ada"


def wish(**other):
    return {"name": "ada", "groups": [], "shell": None, "ssh_keys": None, "sudo": False, "state": "present", **other}


def there(**other):
    return {"exists": True, "shell": "/bin/sh", "groups": ["adm"], "ssh_keys": [], "sudo": False, **other}


def test_a_new_user():
    then = users.after(wish(groups=["ml"], sudo=True, ssh_keys=[KEY + "\n"]), users.GONE)
    assert then == {"exists": True, "shell": "/bin/bash", "groups": ["ml"], "ssh_keys": [KEY], "sudo": True}
    assert users.commands("ada", users.GONE, then, {"root"}) == [
        ["groupadd", "--system", "ml"],
        ["useradd", "--create-home", "--shell", "/bin/bash", "--user-group", "--groups", "ml", "ada"],
    ]
    assert "--gid" in users.commands("ada", users.GONE, then, {"ml", "ada"})[0]


def test_who_is_there_is_only_added_to():
    then = users.after(wish(groups=["ml"]), there(ssh_keys=[KEY]))
    assert then == there(groups=["adm", "ml"], ssh_keys=[KEY])
    assert users.commands("ada", there(), then, {"adm", "ml"}) == [["usermod", "--append", "--groups", "ml", "ada"]]
    assert users.commands("ada", then, then, {"adm", "ml"}) == []


def test_removed_without_the_home():
    assert users.commands("ada", there(), users.after(wish(state="absent"), there()), set()) == [["userdel", "ada"]]
    assert users.commands("ada", users.GONE, users.GONE, set()) == []


def test_nobody_shuts_himself_out():
    before = there(ssh_keys=[KEY], sudo=True)
    then = users.after(wish(shell="/usr/sbin/nologin", ssh_keys=[]), before)
    told = [message.split(": ")[1] for message in users.lockouts("ada", before, then)]
    assert [message[:11] for message in told] == ["the shell /", "taking away", "taking its "]
    assert "removing it" in users.lockouts("ada", before, users.GONE)[0]
    assert users.lockouts("ada", before, users.after(wish(groups=["ml"], sudo=True), before)) == []


def test_values_that_are_wrong_anywhere():
    told = users.input_problems([wish(name="Ada"), wish(groups=["a b"], shell="sh", ssh_keys=["x"]), wish()])
    assert [message.split(" ")[0] for message in told] == [
        "host_baseline_users[0].name", "host_baseline_users[1].groups", "host_baseline_users[1].shell",
        "host_baseline_users[1].ssh_keys[0]", "host_baseline_users[2].name",
    ]  # fmt: skip
    assert users.input_problems([wish(ssh_keys=[KEY], shell="/bin/sh", groups=["ml"])]) == []


def test_sudo_without_a_password():
    assert users.sudoers("ada").endswith("\nada ALL=(ALL:ALL) NOPASSWD: ALL\n")
