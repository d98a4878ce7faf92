# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment by framework, with the real index: jax without a GPU is small enough to be installed; torch is only pinned and judged."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
UV = SCENARIO.parents[1] / "roles" / "python_env" / "files" / "uv.txt"
INVENTORY = SCENARIO / "inventory"
HOST = "bookworm-0"
PINS = {
    "schema": 1, "platform": "Debian-12", "machine": "x86_64", "source": "nvidia", "kernels": [], "packages": {}, "cuda": None,
    "fabric_manager": None, "nvlsm": None,
    "driver": {"version": "570.172.08", "flavor": None}, "wish": {"mode": "compatible"},
    "gpu": {"models": ["h100"], "architectures": ["hopper"]},
}  # fmt: skip


def converge(folder, framework, **more):
    """(output, message of the failure) of the role with a framework and nothing else, in a folder of its own on the host."""
    wish = {"python_env_framework": framework, "python_env_framework_lock": str(folder / "list.txt"), "python_env_projects": []}
    wish |= {"python_env_root": "/opt/frameworks", **more}
    command = ["ansible-playbook", "-i", INVENTORY, "--limit", HOST, "-e", json.dumps(wish), SCENARIO / "converge.yml"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(rf"^fatal: \[{HOST}[^\n]*FAILED! => ", done.stdout, re.MULTILINE)
    return done.stdout + done.stderr, json.JSONDecoder().raw_decode(done.stdout[found.end() :])[0]["msg"] if found else ""


def test_jax_is_pinned_once_and_installed(tmp_path):
    output, told = converge(tmp_path, "jax==0.7.2", python_env_framework_packages=["six"])
    assert not told, output
    text = (tmp_path / "list.txt").read_text()
    assert "jaxlib==0.7.2" in text and "--hash=sha256:" in text
    host = testinfra.get_host(f"ansible://{HOST}?ansible_inventory={INVENTORY}")
    program = "import jax, six; print(jax.__version__, jax.numpy.arange(4).sum())"
    assert host.check_output("/opt/frameworks/jax/bin/python -c %s", program) == "0.7.2 6"
    output, told = converge(tmp_path, "jax==0.7.2", python_env_framework_packages=["six"])
    assert re.search(rf"{HOST} .*changed=0 ", output) and (tmp_path / "list.txt").read_text() == text, output


def test_torch_for_a_driver_that_runs_its_cuda_and_for_one_that_does_not(tmp_path):
    output, told = converge(tmp_path, "torch==2.11.0", python_env_framework_pins=PINS, python_env_framework_index="")
    assert "the index has its build for CUDA 13.0, and driver 570.172.08 cannot run it (CUDA 13 runs from branch 580 on)" in told, output
    assert "no torch_index (python_env_framework_index) is given" in told and not (tmp_path / "list.txt").exists(), output


@pytest.mark.parametrize(
    ("framework", "driver", "runtime"),
    [
        ("tensorflow==2.19.0", "570.172.08", "nvidia-cuda-runtime-cu12==12.5."),
        ("jax==0.7.2", "570.172.08", "nvidia-cuda-runtime-cu12==12.8."),
        ("jax==0.7.2", "580.95.05", "nvidia-cuda-runtime==13.0."),
    ],
)
def test_builds_with_cuda_are_locked_for_a_driver_in_mode_strict(tmp_path, framework, driver, runtime):
    """By the controller alone: gigabytes are not installed here."""
    pins = {**PINS, "driver": {"version": driver}, "wish": {"mode": "strict"}}
    wish = {"framework": framework, "pins": pins, "dest": str(tmp_path / "list.txt"), "uv_requirements": UV.read_text()}
    command = ["ansible", "localhost", "-m", "mlinfra.hosts.framework_lock", "-a", json.dumps(wish)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "list.txt").read_text()
    assert f"\n{runtime}" in text and f"\n{framework.split('=')[0]}" in text and text.count("--hash=sha256:") > 200, text
