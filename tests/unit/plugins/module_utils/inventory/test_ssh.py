# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh is told. That ssh reads it so is asked of ssh itself (ssh -G)."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.ssh import Hop, SshOptions, common_args, parse_hop, refusing_args

needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="needs an ssh client")


def read_by_ssh(args: str) -> dict[str, str]:
    """Options as ssh understands them."""
    answer = subprocess.run(["ssh", "-F", "none", "-G", *shlex.split(args), "10.42.1.10"], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in answer.stdout.splitlines() if " " in line)


def test_host_keys_are_kept_by_instance():
    assert common_args("i-1", SshOptions()).startswith("-o HostKeyAlias=i-1 -o StrictHostKeyChecking=accept-new")


@needs_ssh
@pytest.mark.parametrize(("before", "interval"), [("", "30"), ("-o ServerAliveInterval=5 ", "5")])
def test_a_silent_build_does_not_end_the_connection(before, interval):
    options = read_by_ssh(before + common_args("i-1", SshOptions(), Hop("10.0.0.1")))  # as Ansible puts ssh_args before it
    assert (options["serveraliveinterval"], options["serveralivecountmax"]) == (interval, "10")


@needs_ssh
def test_the_known_hosts_file_may_have_blanks_and_percent_signs():
    options = read_by_ssh(common_args("i-1", SshOptions(known_hosts_file="/home/me/my 100% hosts")))

    assert options["userknownhostsfile"].strip('"') in ("/home/me/my 100%% hosts", "/home/me/my 100% hosts")
    assert (options["hostkeyalias"], options["stricthostkeychecking"]) == ("i-1", "accept-new")


@needs_ssh
def test_the_way_through_a_bastion_uses_the_same_key_and_known_hosts():
    args = common_args("i-1", SshOptions("/k h", "/keys/my key"), Hop("203.0.113.9", "admin", 2222, "i-2"))
    command = shlex.split(read_by_ssh(args)["proxycommand"])

    assert command[0] == "ssh"
    assert command[-3:] == ["admin@203.0.113.9", "-W", "[%h]:%p"]
    assert command[command.index("-i") : command.index("-i") + 2] == ["-i", "/keys/my key"]
    assert command[command.index("-p") : command.index("-p") + 2] == ["-p", "2222"]
    assert {"HostKeyAlias=i-2", "BatchMode=yes", "IdentitiesOnly=yes", 'UserKnownHostsFile="/k h"'} <= set(command)


def test_percent_signs_of_a_path_survive_both_readings():
    args = common_args("i-1", SshOptions(private_key_file="/100%/key"), Hop("10.0.0.1"))
    command = shlex.split(args)[-1]

    assert "/100%%%%/key" in command  # halved by the outer ssh and again by the inner one
    assert command.endswith("-W '[%h]:%p'")


@needs_ssh
@pytest.mark.parametrize("message", ["no way in: it's down", '100% "gone"; rm -rf $HOME `id`'])
def test_a_host_without_a_way_in_says_why(message):
    command = ["ssh", "-T", "-F", "none", *shlex.split(refusing_args(message)), "10.0.0.1"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert answer.returncode == 255
    assert answer.stderr.splitlines()[0] == message


@pytest.mark.parametrize(
    "text, hop",
    [
        ("admin@203.0.113.9", Hop("203.0.113.9", "admin")),
        ("bastion.example.org", Hop("bastion.example.org")),
        ("ops@bastion.example.org:2222", Hop("bastion.example.org", "ops", 2222)),
    ],
)
def test_a_hop_is_read(text, hop):
    assert parse_hop(text) == hop


@pytest.mark.parametrize("text", ["", "admin@", "a@-oProxyCommand=id", "-l@host", "a@b c", "a@host:ssh"])
def test_what_is_no_hop_is_refused(text):
    with pytest.raises(ValueError):
        parse_hop(text)
