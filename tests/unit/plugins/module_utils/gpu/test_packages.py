# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import packages, running

STATUS = """Package: libcuda1
Status: install ok installed
Version: 580.95.05-1

Package: nvidia-kernel-open-dkms
Status: hold ok half-configured
Version: 580.95.05-1

Package: nvidia-smi
Status: deinstall ok config-files
Version: 580.65.06-1

Package: docker-ce
Status: install ok installed
Version: 5:27.3.1-1~debian.12~bookworm

Package: nvidia-container-toolkit-base
Status: install ok installed
Version: 1.18.1-1
"""


def nobody(unused):
    raise AssertionError("asked for nothing")


def test_debian(tree):
    tree.put("/var/lib/dpkg/status", STATUS)
    tree.folder("/var/lib/rpm")
    found = packages.read(tree.host, nobody)
    whole, half = packages.driver(found)
    assert whole == {"libcuda1": "580.95.05-1"} and half == ["nvidia-kernel-open-dkms (half-configured)"]
    assert packages.user_space(whole) == "580.95.05"
    assert packages.engines(found, lambda name: None, nobody) == {
        "docker": "27.3.1", "containerd": None, "podman": None, "nvidia_toolkit": "1.18.1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("whole", "half", "version", "source"),
    [
        ({"libcuda1": "580.95.05-1"}, [], "580.95.05", "packages"),
        # A change that was killed while dpkg was at work: the libraries are of no installer, and the driver is still the role's.
        ({}, ["libcuda1 (unpacked)", "nvidia-kernel-open-dkms (half-configured)"], "595.58.03", "packages"),
        ({}, ["nvidia-driver-cuda (half-installed)"], None, "packages"),
        ({"nvidia-kernel-support": "580.95.05-1"}, ["nvidia-kernel-dkms (unpacked)"], "580.95.05", "files"),
        ({}, [], "580.95.05", "files"),
        ({}, [], None, None),
    ],
)
def test_where_a_driver_is_from(whole, half, version, source):
    assert packages.source(whole, half, version) == source


def test_red_hat(tree):
    tree.folder("/var/lib/rpm")
    printed = "nvidia-driver-cuda-libs 580.95.05-1.el9\nkmod-nvidia-open-dkms 580.95.05-1.el9\npodman 5.2.2-9.el9\nan odd line here\n"
    found = packages.read(tree.host, lambda patterns: printed)
    whole, half = packages.driver(found)
    assert packages.user_space(whole) == "580.95.05" and packages.flavor(whole) == "open" and half == []
    assert packages.engines(found, lambda name: None, nobody)["podman"] == "5.2.2"


def test_neither(tree):
    assert packages.read(tree.host, nobody) == {}


@pytest.mark.parametrize(
    ("names", "flavor"),
    [
        (["nvidia-kernel-open-dkms"], "open"),
        (["nvidia-dkms-580-server-open"], "open"),
        (["nvidia-dkms-580"], "proprietary"),
        (["nvidia-kernel-dkms", "cuda-drivers"], "proprietary"),
        (["nvidia-kernel-dkms", "nvidia-kernel-open-dkms"], None),
        (["libcuda1"], None),
    ],
)
def test_flavor(names, flavor):
    assert packages.flavor(names) == flavor


@pytest.mark.parametrize(
    ("said", "version"),
    [("Docker version 27.3.1, build ce12230", "27.3.1"), ("containerd github.com/containerd v2.0.1 abc", "2.0.1"), ("", "unknown")],
)
def test_an_engine_without_a_package_says_its_version(said, version):
    found = packages.engines({}, lambda name: "/opt/" + name if name == "dockerd" else None, lambda path: said)
    assert found == {"docker": version, "containerd": None, "podman": None, "nvidia_toolkit": None}


def program(tree, text):
    path = tree.put("/program", "#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_a_program_is_heard(tree):
    done = running.run([program(tree, 'echo "$1"; echo no >&2; exit 3'), "yes"], 20)
    assert (done.code, done.out, done.err, done.problem) == (3, "yes\n", "no\n", None)
    assert done.said() == "yes"


def runs(number):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_hanging_program_and_its_children_end(tree):
    done = running.run([program(tree, "echo begun\nsleep 600 &\necho $!\nwait\n")], 0.5)
    child = int(done.out.split()[1])
    assert done.code is None and "did not end within 0.5 s" in done.problem
    for attempt in range(600):
        if not runs(child):
            return
        time.sleep(0.05 if attempt else 0.01)
    raise AssertionError(f"process {child} is still there")


@pytest.mark.parametrize("content", [b"", b"\0\1\2 no program"])
def test_what_cannot_be_run(tree, content):
    path = tree.put("/program", content)
    path.chmod(0o755)
    for what in (str(path), str(tree.root), "/no/such/program"):
        done = running.run([what], 20)
        assert done.code is None and done.problem.startswith(what + " cannot be run: ")


def test_printed_garbage_is_text(tree):
    assert "\ufffd" in running.run([program(tree, r"printf '\377\376'")], 20).out


def test_files_that_are_none_do_not_block(tree):
    os.mkfifo(tree.root / "pipe")
    assert tree.host.text("/pipe") == "" and tree.host.text("/") == "" and tree.host.text("/none") == ""
    assert tree.host.names("/pipe") == [] and tree.host.unread == []


def test_what_cannot_be_read_is_said_once(tree, monkeypatch):
    tree.put("/secret", "x")

    def refuse(*unused):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert tree.host.text("/secret") == "" and tree.host.text("/secret") == ""
    assert tree.host.unread == ["/secret: Permission denied"]
