# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses, and that no secret is told: one run per case, against hosts that are as they shall be."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
BAD = {
    "host_baseline_nofile": 100,
    "host_baseline_memlock": "much",
    "host_baseline_sysctl": {"swappiness": 1, "vm.swappiness": "1\n2"},
    "host_baseline_time_servers": ["a b"],
    "host_baseline_unattended_upgrades_except": ['x"; };'],
    "mlinfra_mirrors": {"apt": "mirror.example"},
    "mlinfra_proxy": "proxy:3128",
}


def run(variables, *options):
    """(code, output, {host: message}) of a converge with these variables."""
    command = ["ansible-playbook", "-i", SCENARIO / "inventory", "-e", json.dumps(variables), *options, SCENARIO / "converge.yml"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    decoder = json.JSONDecoder()
    fatal = re.finditer(r"^fatal: \[([\w-]+)\]: FAILED! => ", done.stdout, re.MULTILINE)
    told = {match.group(1): decoder.raw_decode(done.stdout[match.end() :])[0]["msg"] for match in fatal}
    return done.returncode, done.stdout + done.stderr, told


def test_values_that_cannot_be_are_refused_at_once():
    code, output, told = run(BAD)
    assert code == 2 and set(told) == {"bookworm-0", "trixie-0"}, output
    for name in ("nofile", "memlock", "sysctl has swappiness", "sysctl.vm.swappiness", "time_servers", "unattended_upgrades_except"):
        assert f"host_baseline_{name}" in told["trixie-0"], told["trixie-0"]
    assert "mlinfra_mirrors.apt is no URL" in told["trixie-0"] and "mlinfra_proxy is no URL" in told["trixie-0"]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([{"name": "admin", "state": "absent"}], "admin is who this run is connected as: removing it would shut you out"),
        ([{"name": "admin", "shell": "/usr/sbin/nologin"}], "the shell /usr/sbin/nologin would shut you out"),
        ([{"name": "eve", "shell": "/bin/no-such-shell"}], "The shell of eve, /bin/no-such-shell, is not on this host"),
        ([{"name": "Eve!"}, {"name": "eve", "ssh_keys": ["ssh-ed25519 AAAA eve"]}], "users[1].ssh_keys[0] (of eve) is cut off"),
    ],
)
def test_users_that_cannot_be(users, message):
    code, output, told = run({"host_baseline_users": users}, "--limit", "trixie-0")
    assert code == 2 and message in told["trixie-0"], output


def test_a_mirror_that_does_not_answer_leaves_the_sources(host):
    name = host.backend.get_hostname()
    before = host.check_output("cat /etc/apt/sources.list /etc/apt/sources.list.d/*")
    code, output, told = run({"mlinfra_mirrors": {"apt": "http://127.0.0.1:9"}}, "--limit", name)
    assert code == 2 and "mlinfra_mirrors.apt is http://127.0.0.1:9: apt on" in told[name] and "onnect" in told[name], output
    assert host.check_output("cat /etc/apt/sources.list /etc/apt/sources.list.d/*") == before


def test_password_of_a_proxy_is_told_to_nobody(host):
    name = host.backend.get_hostname()
    code, output, _told = run({"mlinfra_proxy": "http://proxy-user:Zwetschge42@127.0.0.1:3128"}, "--limit", name, "-vvv", "--diff")
    assert code == 0 and "Zwetschge42" not in output
    with host.sudo():
        file = host.file("/etc/apt/apt.conf.d/80mlinfra-proxy")
        assert file.mode == 0o600 and "Zwetschge42" in file.content_string
        assert "Zwetschge42" not in host.check_output("journalctl --no-pager")
    assert run({}, "--limit", name)[0] == 0
    assert not host.file("/etc/apt/apt.conf.d/80mlinfra-proxy").exists
