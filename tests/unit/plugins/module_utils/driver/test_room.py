# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that the disk has no room for is refused before anything is changed."""

from __future__ import annotations

import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import room as apt_room
from ansible_collections.mlinfra.hosts.plugins.module_utils.apt.simulation import MIB
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import room

ACTIONS = [
    {"action": "install", "name": "libcuda1", "old": "570.1-1", "new": "580.95.05-1"},
    {"action": "install", "name": "nvidia-driver-cuda", "old": None, "new": "580.95.05-1"},
    {"action": "remove", "name": "nvidia-kernel-dkms", "old": "570.1-1", "new": None},
]
URIS = "'http://mirror/a.deb' a.deb 104857600 SHA256:0\n'http://mirror/b.deb' b.deb 52428800 SHA256:0\n"
SHOWN = "Package: libcuda1\nInstalled-Size: 204800\n\nPackage: nvidia-driver-cuda\nInstalled-Size: 102400\n"
STATUS = "Package: libcuda1\nInstalled-Size: 153600\n\nPackage: other\nInstalled-Size: 999999999\n"


class Program:
    """apt as it answers; asked: what it was called with."""

    def __init__(self):
        self.asked = []

    def get(self, what, *arguments):
        self.asked.append(arguments)
        return URIS

    def call(self, what, arguments):
        self.asked.append(arguments)
        return SHOWN


@pytest.fixture
def disks(monkeypatch, tmp_path):
    """disks(archives, programs): MiB that are free there, each a file system of its own."""
    (tmp_path / "status").write_text(STATUS)
    monkeypatch.setattr(apt_room.dpkg, "ROOT", str(tmp_path))

    def free(archives, programs):
        mib = {apt_room.ARCHIVES: archives, apt_room.PROGRAMS: programs}
        monkeypatch.setattr(apt_room, "existing", lambda path: path)
        monkeypatch.setattr(apt_room.os, "stat", lambda path: types.SimpleNamespace(st_dev=path))
        monkeypatch.setattr(apt_room.os, "statvfs", lambda path: types.SimpleNamespace(f_bfree=mib[path], f_frsize=MIB))

    return free


@pytest.mark.parametrize(("archives", "programs", "wrong"), [(150, 214, []), (149, 214, ["archives"]), (150, 213, ["usr"])])
def test_what_is_fetched_and_what_grows_is_compared_with_what_is_free(disks, archives, programs, wrong):
    """150 MiB are fetched; 50 of a package that is there already and 100 of a new one are unpacked, with 64 to spare."""
    disks(archives, programs)
    told = room.problems(Program(), ["nvidia-driver-cuda"], ACTIONS, ["-o", "X=1"])
    assert [one for one in told if "/usr has" in one] == [
        "/usr has 213 MiB free: installing libcuda1, nvidia-driver-cuda needs 214 MiB there. "
        "Make room (apt-get clean drops fetched packages) or enlarge its file system. Nothing was changed."
    ] * ("usr" in wrong)
    assert [one for one in told if one.startswith("/var/cache/apt/archives has 149 MiB free")] == told * ("archives" in wrong)
    assert len(told) == len(wrong)


def test_the_sources_of_the_simulation_are_asked(disks):
    disks(9999, 9999)
    program = Program()
    assert room.problems(program, ["nvidia-driver-cuda", "old-"], ACTIONS, ["-o", "X=1"]) == []
    uris, shown = program.asked
    assert uris[:2] == ("-o", "X=1") and uris[-3:] == ("install", "nvidia-driver-cuda", "old-") and "--print-uris" in uris
    assert shown[:3] == ["apt-cache", "-o", "X=1"] and shown[-2:] == ["libcuda1=580.95.05-1", "nvidia-driver-cuda=580.95.05-1"]


def test_nothing_is_asked_when_nothing_is_installed():
    assert room.problems(Program(), ["old-"], ACTIONS[2:]) == []
