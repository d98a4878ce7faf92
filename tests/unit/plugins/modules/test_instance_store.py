# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around its decision: what it refuses, predicts and leaves for the boot. molecule/instance_store has it on real hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import kept_program
from ansible_collections.mlinfra.hosts.plugins.modules import instance_store as module

POINT = {"kind": None, "entries": 0, "dev": None, "uid": None, "gid": None, "mode": None}


@pytest.fixture
def answer(capsys, monkeypatch, tmp_path):
    """Run the module on a host with one blank disk; commands are noted, and mkfs leads to a disk with a file system."""
    ran = []
    no = dict.fromkeys(("read_only", "partition", "swap", "busy"), False) | {
        "partitions": [],
        "holders": [],
        "mounts": [],
        "signature": None,
    }
    path = "/dev/nvme1n1"
    disk = {"path": path, "given": path, "name": "nvme1n1", "dev": "259:1", "model": "", "serial": "AWS1", "size": 10**9, **no}

    def look(wish, run, root="/"):
        made = any(argv[0] == "mount" for argv in ran)
        ours = {"signature": {"type": "xfs", "label": "mlinfra-data", "uuid": "1"}, "mounts": ["/data"]} if made else {}
        there = {"kind": "directory", "entries": 0, "dev": "259:1", "uid": 0, "gid": 0, "mode": "0755"} if made else POINT
        return {"missing": [], "disks": [{**disk, **ours}], "arrays": [], "point": there, "stored": None, "raid": True, "programs": []}

    monkeypatch.setattr(module.carry, "look", look)
    monkeypatch.setattr(module.boot, "run", lambda argv: ran.append(argv) or (0, "", ""))
    monkeypatch.setattr(module.kept_program, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(module.kept_program.copy, "__defaults__", (str(tmp_path / "lib"),))
    monkeypatch.setattr(module.carry, "WISH", str(tmp_path / "wish.json"))
    monkeypatch.setattr(module.os.path, "isdir", lambda path, real=os.path.isdir: path == "/run/systemd/system" or real(path))

    def run(**arguments):
        with patch_module_args({"mount_point": "/data", **arguments}), pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out.strip().splitlines()[-1]), "ran": [argv[0] for argv in ran]}

    return run


def test_check_mode_predicts_all_of_it_and_writes_nothing(answer, tmp_path):
    told = answer(_ansible_check_mode=True)
    assert told["changed"] and told["ran"] == [] and list(tmp_path.iterdir()) == []
    assert told["steps"][0] == "make xfs on /dev/nvme1n1" and "enable mlinfra-instance-store.service" in told["diff"]["after"]


def test_it_is_made_kept_for_the_boot_and_then_left_alone(answer, tmp_path):
    told = answer(wipe=["AWS9"])
    assert told["ran"] == ["mkfs.xfs", "mkdir", "mount", "chown", "chmod", "systemctl", "systemctl", "systemctl"]
    assert json.loads((tmp_path / "wish.json").read_text())["count"] == 1 and "AWS9" not in (tmp_path / "wish.json").read_text()
    unit = (tmp_path / "units" / "mlinfra-instance-store.service").read_text()
    assert "Before=local-fs.target" in unit and "WantedBy=local-fs.target" in unit
    assert answer()["files"] == []


def test_values_that_cannot_be_are_refused_at_once(answer):
    told = answer(mount_point="/", mode="rwx", owner="no-such-user", mount_options=["a b"])
    options = [f"instance_store_{name}" for name in ("owner", "mode", "mount_point", "mount_options")]
    assert told["failed"] and [line.split()[0] for line in told["msg"].splitlines()] == options, "as the role calls them"


def test_the_copy_runs_by_itself(tmp_path):
    """As at a boot: no Ansible, only the files that are left on the host."""
    kept_program.write(kept_program.copy(module.PROGRAM, str(tmp_path)))
    command = [sys.executable, "-S", "-s", "-c", f"import {kept_program.BASE}instance_store.boot as boot; print(boot.carry.stored())"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "None\n", done.stderr
