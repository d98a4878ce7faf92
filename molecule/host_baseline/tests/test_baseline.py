# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as the role shall leave it: its own settings in force, everybody else's still there."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def as_root(host):
    with host.sudo():
        yield


def test_suite(host):
    assert host.system_info.codename == host.ansible.get_variables()["mlinfra_pool"]


def test_new_user_logs_in_by_key_and_is_administrator(host):
    ada = host.user("ada")
    assert (ada.shell, set(ada.groups)) == ("/bin/sh", {"ada", "adm", "ml"})
    keys = host.file(f"{ada.home}/.ssh/authorized_keys")
    assert (keys.user, keys.group, keys.mode) == ("ada", "ada", 0o600) and keys.content_string.count(" ada\n") == 1
    assert host.file(f"{ada.home}/.ssh").mode == 0o700
    assert host.check_output("runuser -u ada -- sudo -n id -u") == "0"


def test_who_was_there_keeps_what_he_had(host):
    keys = host.file(f"{host.user('bob').home}/.ssh/authorized_keys").content_string
    assert keys.startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBobsOwn") and keys.count("ssh-ed25519") == 2
    assert host.user("bob").shell == "/bin/bash" and "ml" in host.user("bob").groups
    assert host.run("runuser -u bob -- sudo -n true").rc != 0


def test_removed_user_leaves_the_home(host):
    assert not host.user("gone").exists and host.file(host.user("bob").home.replace("bob", "gone")).is_directory


def test_sudo_finds_no_fault(host):
    assert host.run("visudo -c").rc == 0
    assert host.file("/etc/sudoers.d/mlinfra-ada").mode == 0o440


def test_limits_of_sessions_and_services(host):
    assert host.check_output("su -l bob -c 'ulimit -Sn; ulimit -Hn; ulimit -l'").split() == ["5000", "15000", "4096"]
    started = "systemd-run --quiet --pipe --wait sh -c 'ulimit -Sn; ulimit -Hn; ulimit -l'"
    assert host.check_output(started).split() == ["5000", "15000", "4096"]
    assert host.file("/etc/security/limits.d/20-site.conf").content_string == "@staff hard core 0\n"


def test_sysctls_that_belong_to_a_container_and_no_others(host):
    assert host.check_output("cat /proc/sys/net/core/somaxconn") == "7777"
    assert host.check_output("cat /proc/sys/vm/swappiness") != "11"
    settings = host.file("/etc/sysctl.d/90-mlinfra.conf").content_string
    assert "somaxconn" in settings and "swappiness" not in settings and "rmem_max" not in settings


def test_clock_is_left_to_the_machine_outside(host):
    assert not host.package("chrony").is_installed and not host.file("/etc/chrony").exists
    assert not host.file("/etc/systemd/timesyncd.conf.d/mlinfra.conf").exists


def test_updates_leave_the_gpu_alone_and_what_the_site_said(host):
    told = host.check_output("unattended-upgrade --dry-run --debug 2>&1")
    (wished,) = [line for line in told.splitlines() if line.startswith("Packages that will be upgraded:")]
    assert "plain-demo" in wished, told
    left_alone = ("nvidia-demo", "libnvidia-demo1", "cuda-demo-12-4", "site-driver-x", "site-tool")
    assert not [name for name in left_alone if name in wished.split()], told
    assert host.check_output("apt-config dump APT::Periodic::Unattended-Upgrade") == 'APT::Periodic::Unattended-Upgrade "1";'


def test_what_dpkg_had_not_finished_is_finished(host):
    assert host.package("flaky").is_installed and host.check_output("dpkg --audit") == ""
