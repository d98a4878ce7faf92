# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment by framework, with the real index: jax without a GPU is small enough to be installed; torch is only pinned and judged."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO / "inventory"
HOST = "bookworm-0"
PINS = {"driver": {"version": "570.172.08"}, "wish": {"mode": "compatible"}, "gpu": {"models": ["h100"], "architectures": ["hopper"]}}


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
