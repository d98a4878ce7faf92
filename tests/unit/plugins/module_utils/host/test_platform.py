# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms by their os-release."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import platform

BOOKWORM = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
# a comment = none
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
BROKEN="
no assignment
"""


def test_os_release_as_the_shell_reads_it():
    assert platform.parse_os_release(BOOKWORM) == {
        "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm", "ID": "debian",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("release", "names"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, ["Debian-12", "Debian-family-12"]),
        ({"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "24.04"}, ["Ubuntu-24", "Debian-family-24"]),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora", "VERSION_ID": "9.4"}, ["Rocky-9", "RedHat-family-9"]),
        ({"ID": "amzn", "ID_LIKE": "fedora", "VERSION_ID": "2023"}, ["Amazon-2023", "RedHat-family-2023"]),
        ({"ID": "pop", "NAME": "Pop", "ID_LIKE": "ubuntu debian", "VERSION_ID": "22.04"}, ["Pop-22", "Debian-family-22"]),
        ({"ID": "debian"}, ["Debian-", "Debian-family-"]),
        ({}, ["Linux-", "Linux-family-"]),
    ],
)
def test_names_for_the_tables_of_roles(release, names):
    assert platform.distribution(release)["platform_names"] == names


def test_architectures_in_both_ways():
    assert platform.architectures("aarch64") == {"architecture": "aarch64", "deb_architecture": "arm64"}
    assert platform.architectures("riscv64")["deb_architecture"] == "riscv64"


@pytest.mark.parametrize(("word", "container"), [("podman", True), ("docker", True), ("kvm", False), ("amazon", False), ("none", False)])
def test_containers(word, container):
    assert platform.is_container(word) is container


def test_memory():
    assert platform.memory_mib("MemTotal:       16262312 kB\nMemFree: 1 kB\n") == 15881 and platform.memory_mib("") == 0


def test_this_machine_is_some_platform():
    seen = platform.look()
    assert seen["cpus"] >= 1 and seen["kernel"] and len(seen["platform_names"]) == 2
