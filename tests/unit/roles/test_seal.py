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
    """Function (mount point) -> what a run of the role's first tasks says, which ends at the refusal without seal_confirm."""
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": CONTROLLER}}))
    tasks = [{"name": "Look", "ansible.builtin.include_role": {"name": "mlinfra.hosts.seal", "tasks_from": "preflight.yml"}}]
    (tmp_path / "play.json").write_text(json.dumps([{"name": "Look", "hosts": "all", "gather_facts": False, "tasks": tasks}]))

    def run(point):
        wish = json.dumps({"instance_store_mount_point": str(point)})
        command = ["ansible-playbook", "-i", tmp_path / "hosts.json", "-e", wish, tmp_path / "play.json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 2 and "seal_confirm is false" in said, said
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


def test_both_reasons_are_told(value_of):
    below = {"stdout_lines": ["/data/docker"]}
    known = {"inventory_hostname": "builder", "instance_store_mount_point": "/data", "__seal_below": below}
    assert [one[:25] for one in value_of("seal", "_seal_refusals", **known)] == ["seal_confirm is false: se", "builder: instance_store_m"]
    assert len(value_of("seal", "_seal_refusals", seal_confirm=True, **known)) == 1
    assert value_of("seal", "_seal_refusals", inventory_hostname="builder", seal_confirm=True) == []
