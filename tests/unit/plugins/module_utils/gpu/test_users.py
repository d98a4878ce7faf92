# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses the GPUs, by nvidia-smi or by the open files of a /proc made of links."""

from __future__ import annotations

import os

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.filter.gpu_users import gpu_users
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import users
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import open_files

SILENT = [[], None]
JOB = {"pid": 40, "program": "python3"}


@pytest.fixture
def processes(tree):
    """Function (pid, program, files that it has open): one process more."""

    def add(pid, program, *opened):
        folder = tree.folder(f"/proc/{pid}/fd")
        for number, target in enumerate(("/dev/null", *opened)):
            os.symlink(target, folder / str(number))
        tree.put(f"/proc/{pid}/comm", program + "\n")

    add(1, "systemd", "socket:[4]")
    return add


@pytest.mark.parametrize(
    "file",
    [
        "/dev/nvidia0", "/dev/nvidia15", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
        "/dev/nvidia-caps/nvidia-cap21", "/dev/nvidia0 (deleted)",
    ],
)  # fmt: skip
def test_a_job_is_found_where_nvidia_smi_is_silent(tree, processes, file):
    processes(40, "python3", "pipe:[7]", file)
    processes(41, "sshd", "/dev/nvidia", "/srv/nvidia0", "/dev/nvidia0.log", "/dev/nvidia-fs0x")
    assert users.look(tree.host, True, SILENT) == [JOB]
    assert users.look(tree.host, True, []) == [JOB], "nvidia-smi shows no GPU at all"
    assert users.look(tree.host, False, SILENT) == [], "without the module nobody uses one"


@pytest.mark.parametrize("program", ["nvidia-persiste", "nv-fabricmanage", "nv-hostengine", "dcgm-exporter", "nvidia-smi", "nvidia-imex"])
def test_daemons_of_the_driver_and_monitors_are_no_jobs(tree, processes, program):
    processes(30, program, "/dev/nvidiactl", "/dev/nvidia0")
    assert users.look(tree.host, True, SILENT) == []
    processes(31, "Xorg", "/dev/nvidia0")
    assert users.look(tree.host, True, SILENT) == [{"pid": 31, "program": "Xorg"}]


def test_what_nvidia_smi_says_of_all_gpus_counts_alone(tree, processes):
    processes(39, "telegraf", "/dev/nvidiactl")
    said = [[], [{"pid": 41, "program": "python3", "type": "C"}, {"pid": 40, "program": None}], [{"pid": 41, "program": "python3"}]]
    assert users.look(tree.host, True, said) == [{"pid": 40, "program": None}, {"pid": 41, "program": "python3"}]
    assert users.look(tree.host, True, [[], []]) == []
    both = users.look(tree.host, True, [[{"pid": 39, "program": "named"}], None])
    assert both == [{"pid": 39, "program": "named"}]


def forbidden(monkeypatch, pid):
    real = os.listdir

    def listdir(path):
        if str(path).endswith(f"/proc/{pid}/fd"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)


def test_nothing_is_only_said_when_all_was_looked_at(tree, processes, monkeypatch):
    notes = []
    processes(40, "python3", "/dev/null")
    processes(50, "secret")
    forbidden(monkeypatch, 50)
    assert users.look(tree.host, True, SILENT, lambda *told: notes.append(told)) is None
    assert notes == [("/proc/*/fd", "Permission denied for 1 of 3 processes")]
    assert users.look(tree.host, True, [[]]) == []
    processes(60, "python3", "/dev/nvidia0")
    assert users.look(tree.host, True, SILENT) == [{"pid": 60, "program": "python3"}], "one that is seen is enough"


def test_a_proc_that_hides_others_says_nothing(tree, tmp_path):
    assert users.look(tree.host, True, SILENT) is None
    tree.folder("/proc/40/fd")
    assert users.look(tree.host, True, SILENT) is None
    tree.folder("/proc/1/fd")
    assert users.look(tree.host, True, SILENT) == []


def test_the_look_is_bounded(tree, processes):
    processes(20, "server", *(f"socket:[{number}]" for number in range(20)))
    assert users.look(tree.host, True, SILENT, most=50) == []
    assert users.look(tree.host, True, SILENT, most=10) is None


def test_this_very_process_is_found(tmp_path):
    path = tmp_path / "opened"
    with path.open("w"):
        assert os.getpid() in [pid for pid, targets in open_files.each() if targets and str(path) in targets]
    assert list(open_files.each(str(tmp_path / "nowhere"))) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "no process uses its GPUs"),
        ([JOB], "1 process uses its GPUs (python3 pid 40)"),
        ([{"pid": 1, "program": None}, JOB], "2 processes use its GPUs (unknown pid 1, python3 pid 40)"),
        (None, "it cannot be told whether processes use its GPUs (nvidia-smi does not say, and not all open files"),
    ],
)
def test_words(found, told):
    assert gpu_users(found).startswith(told)


def test_words_of_other_devices():
    job = [{"pid": 7, "program": "python3"}]
    assert gpu_users(job, "EFA devices") == "1 process uses its EFA devices (python3 pid 7)"
    assert "processes use its EFA devices (not all open files could" in gpu_users(None, devices="EFA devices")


@given(st.integers(9, 500))
def test_a_message_names_a_few(number):
    told = gpu_users([{"pid": pid, "program": "python3"} for pid in range(number)])
    assert told.startswith(f"{number} processes use") and told.endswith(f"python3 pid 7 and {number - 8} more)")


@pytest.mark.parametrize("wrong", ["python3", [4711], [{"pid": 1}], 7])
def test_what_is_no_list_of_users_is_refused(wrong):
    with pytest.raises(AnsibleFilterError, match="gpu_users wants users of the fact mlinfra_gpu"):
        gpu_users(wrong)
