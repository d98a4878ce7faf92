# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role seal refuses to make an image of. The task that looks is really run, on this machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CONTROLLER = {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}


@pytest.fixture
def told(tmp_path):
    """Function (mount point) -> what a run of the role's first tasks says: they look and refuse, and change nothing."""
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": CONTROLLER}}))
    tasks = [{"name": "Look", "ansible.builtin.include_role": {"name": "mlinfra.hosts.seal", "tasks_from": "preflight.yml"}}]
    (tmp_path / "play.json").write_text(json.dumps([{"name": "Look", "hosts": "all", "gather_facts": False, "tasks": tasks}]))

    def run(point):
        wish = json.dumps({"instance_store_mount_point": str(point), "seal_confirm": "localhost"})
        command = ["ansible-playbook", "-i", tmp_path / "hosts.json", "-e", wish, tmp_path / "play.json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = " ".join((done.stdout + done.stderr).split())
        # what comes after wants systemd, which this machine may not run
        assert "Look below the mount point" in said and (done.returncode == 2 or "would be on the root disk" not in said), said
        return said

    return run


def test_what_an_instance_store_would_hide_is_refused(told, tmp_path):
    point = tmp_path / "data"
    assert "would be on the root disk" not in told(point), "it is not there"
    for path in (".hidden", "docker/below"):
        (point / path).mkdir(parents=True)
    said = told(f"{point}/")
    assert f"instance_store_mount_point is {point}, and {point}/.hidden, {point}/docker would be on the root disk" in said, said
    assert "Nothing was sealed." in said
    assert "would be on the root disk" not in told("/proc"), "what is mounted there is no part of the root disk"


def test_what_is_below_is_named(value_of):
    known = {"inventory_hostname": "builder", "instance_store_mount_point": "/data"}
    told = value_of("seal", "_seal_hidden", **known, __seal_below={"stdout_lines": ["/data/docker"]})
    assert told.startswith("builder: instance_store_mount_point is /data, and /data/docker would be on the root disk")
    assert value_of("seal", "_seal_hidden", **known, __seal_below={"stdout_lines": []}) == ""
    assert value_of("seal", "_seal_hidden", inventory_hostname="builder") == ""
