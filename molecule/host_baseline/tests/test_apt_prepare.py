# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt_prepare on hosts where something is in the way: each is told in words, and nothing is installed."""

from __future__ import annotations

import json
import re

import pytest
from testinfra.modules.ansible import AnsibleException

HOLD = "import fcntl, time; file = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); time.sleep(300)"


@pytest.fixture
def prepare(host):
    def answer(check=False, **options):
        try:
            return host.ansible("mlinfra.hosts.apt_prepare", json.dumps(options), check=check, become=True)
        except AnsibleException as failure:
            return failure.result

    return answer


@pytest.fixture
def root(host):
    def run(command):
        with host.sudo():
            return host.check_output(command)

    return run


def test_another_process_holds_the_lock(prepare, root):
    root(f'systemd-run --quiet --unit hold-lock python3 -c "{HOLD}"')
    try:
        root("until fuser /var/lib/dpkg/lock-frontend 2>/dev/null || grep -q POSIX /proc/locks; do sleep 0.1; done")
        pid = root("systemctl show --property MainPID --value hold-lock")
        told = prepare(packages=["tree"], lock_timeout=1)["msg"]
        assert f"(pid {pid}) holds /var/lib/dpkg/lock-frontend, and did not let go within 1 s" in told
        assert prepare(check=True, packages=["tree"])["candidates"]["tree"], "reading needs no lock"
    finally:
        root("systemctl stop hold-lock")
    assert prepare(packages=["tree"], lock_timeout=60)["candidates"]["tree"]


def test_a_source_that_does_not_answer(prepare, root):
    root("echo 'deb http://127.0.0.1:9/debian nowhere main' > /etc/apt/sources.list.d/dead.list")
    try:
        told = prepare(packages=["tree"])["msg"]
        assert re.search(r"\nhttp://127\.0\.0\.1:9/debian nowhere: .*onnect", told), told
        assert "nowhere" in prepare(packages=["tree"])["msg"], "once is not enough"
    finally:
        root("rm /etc/apt/sources.list.d/dead.list")
    assert prepare(packages=["tree"])["refreshed"]


def test_packages_and_versions_that_there_are_not(prepare):
    told = prepare(packages=["plain-dmo", "plain-demo=9.*"])["msg"]
    assert "Package plain-dmo is in no package source of this host. Did you mean plain-demo" in told
    assert "Package plain-demo has no version 9.*: this host's sources have 2.0, 1.0." in told
    assert prepare(check=True, packages=["plain-dmo"])["unknown"] == ["plain-dmo"]


def test_a_full_disk(prepare, root):
    root("mount -t tmpfs -o size=16k none /var/cache/apt/archives")
    try:
        assert "/var/cache/apt/archives has 0 MiB free: installing tree needs 1 MiB there" in prepare(packages=["tree"])["msg"]
    finally:
        root("umount /var/cache/apt/archives")


def test_a_repair_that_would_remove_something(prepare, root):
    root("mkdir -p /root/unfit/DEBIAN")
    control = "Package: unfit\\nVersion: 1\\nArchitecture: all\\nDepends: no-such-thing\\nMaintainer: T <t@example.org>\\nDescription: x\\n"
    root(f"printf '{control}' > /root/unfit/DEBIAN/control && dpkg-deb --build /root/unfit /root/unfit.deb")
    root("dpkg --force-depends --install /root/unfit.deb")
    try:
        assert "apt would only repair that by removing unfit" in prepare(packages=["tree"])["msg"]
    finally:
        root("dpkg --purge unfit")


def test_nothing_was_installed(host, prepare):
    assert not host.package("tree").is_installed and prepare(packages=["tree"])["would_install"] == ["tree"]
