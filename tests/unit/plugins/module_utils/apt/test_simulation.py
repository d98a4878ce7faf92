# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt would do, and whether there is room for it."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import simulation
from ansible_collections.mlinfra.hosts.plugins.module_utils.apt.simulation import MARGIN, MIB

PLAN = """Reading package lists...
Remv exim4 [4.96-15]
Inst nginx-common (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [all])
Inst tree [2.0-1] (2.1.0-1 Debian:12.15/oldstable [amd64])
Conf nginx-common (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [all])
"""
URIS = "'http://mirror.example/nginx-common_1.22.1-9%2bdeb12u11_all.deb' nginx-common_1.22.1-9+deb12u11_all.deb 115544 \n'http://x/t.deb' t.deb 52464 MD5Sum:a1\n"  # noqa: E501
SHOWN = "Package: nginx-common\nVersion: 1\nInstalled-Size: 200\n\nPackage: tree\nInstalled-Size: 100\n\nPackage: virtual\n"
UNMET = """The following packages have unmet dependencies:
 nvidia-open : Depends: nvidia-kernel-open-dkms (= 580.95.05-1) but 590.10-1 is to be installed
E: Unable to correct problems, you have held broken packages.
"""


def test_the_plan():
    assert simulation.parse(PLAN) == {
        "install": {"nginx-common": "1.22.1-9+deb12u11", "tree": "2.1.0-1"},
        "upgraded": ["tree"],
        "remove": ["exim4"],
        "configure": ["nginx-common"],
    }


def test_what_apt_complains_of():
    assert simulation.reason(UNMET).startswith("unmet dependencies: nvidia-open : Depends: nvidia-kernel-open-dkms")
    assert simulation.reason("E: Version '9' for 'tree' was not found\n") == "Version '9' for 'tree' was not found"
    assert simulation.reason("") == "it said nothing"


def test_sizes():
    assert simulation.download_bytes(URIS) == 115544 + 52464
    assert simulation.download_bytes("'file:/srv/nvidia/./libcuda1_1_amd64.deb' libcuda1_1_amd64.deb 999 SHA256:0\n") == 0
    new = simulation.installed_bytes(SHOWN)
    assert new == {"nginx-common": 200 * 1024, "tree": 100 * 1024}
    assert simulation.growth(new, {"tree": 90 * 1024}) == 210 * 1024 and simulation.growth({"a": 1}, {"a": 2}) == 0


def test_one_file_system_needs_the_sum_and_two_their_own():
    archives, programs = (1, "/var/cache/apt/archives"), (2, "/usr")
    assert simulation.needs((2, "/var/cache/apt/archives"), programs, 10, 20) == {programs: 30 + MARGIN}
    assert simulation.needs(archives, programs, 10, 20) == {programs: 20 + MARGIN, archives: 10}
    assert simulation.needs(archives, programs, 0, 20) == {programs: 20 + MARGIN}


def test_too_little_room_is_told_with_the_path_and_what_it_is_for():
    wanted = {(1, "/usr"): 5000 * MIB, (2, "/var/cache/apt/archives"): 10 * MIB}
    names = ["cuda-drivers", "a", "b", "c", "d", "e"]
    (message,) = simulation.space_problems(wanted, {"/usr": 120 * MIB, "/var/cache/apt/archives": 10 * MIB}, names)
    assert message.startswith("/usr has 120 MiB free: installing cuda-drivers, a, b, c and 2 more needs 5000 MiB there. Make room")
