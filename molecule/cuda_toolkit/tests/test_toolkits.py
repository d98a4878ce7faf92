# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Toolkits as they shall be, and then other wishes. Run in this order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO / "inventory"


def connect(name):
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")


def converge(name, *options, **variables):
    """(output, message of the failure) of the scenario's play on one host."""
    command = ["ansible-playbook", "-i", INVENTORY, "--limit", name, "-e", json.dumps(variables), *options, SCENARIO / "converge.yml"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(rf"^fatal: \[{name}\]: FAILED! => ", done.stdout, re.MULTILINE)
    return done.stdout + done.stderr, json.JSONDecoder().raw_decode(done.stdout[found.end() :])[0]["msg"] if found else ""


def toolkits(name):
    """{package: version} of the toolkits' meta packages."""
    command = r"dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' 'cuda-toolkit-*' 'cuda-libraries-*'"
    lines = connect(name).run(command).stdout.splitlines()
    return {line.split()[1]: line.split()[2] for line in lines if line[1] == "i" and "config" not in line}


def nvcc(name):
    return connect(name).check_output("bash -lc 'nvcc --version'")


def test_two_toolkits_one_of_them_the_default(host):
    pool = host.ansible.get_variables()["mlinfra_pool"]
    name = host.backend.get_hostname()
    if pool == "gpu":
        assert {"cuda-toolkit-12-8": "12.8.1-1", "cuda-toolkit-13-0": "13.0.2-1"}.items() <= toolkits(name).items()
        assert host.file("/usr/local/cuda").linked_to == "/usr/local/cuda-12.8" and "V12.8.1" in nvcc(name)
        assert {"cuda-nvcc-12-8", "cuda-nvcc-13-0"} <= set(host.check_output("apt-mark showhold").split())
        assert host.package("libcuda1").version == "580.95.05-1", "the driver moved"
    else:
        assert toolkits(name)["cuda-toolkit-12-8"] == "12.8.0-1", "not what the pins say"
    # With the repository there, and nothing but our preferences: a driver of it is no candidate for anybody's upgrade.
    if pool == "builder":
        assert re.search(r"^ +100 http\S+/nvidia/compute/cuda/", host.check_output("apt-cache policy"), re.MULTILINE)


def test_a_newer_release_is_the_default_by_a_word():
    output, _told = converge("gpu-0", cuda_toolkit_default="13.0")
    assert "V13.0.2" in nvcc("gpu-0"), output


def test_a_release_that_the_driver_cannot_run_is_refused():
    wish = {"cuda_toolkit_versions": ["13.0"], "cuda_toolkit_default": "", "cuda_toolkit_mode": "strict"}
    output, told = converge("gpu-0", **{**wish, "cuda_toolkit_versions": ["13.1", "13.0"]})
    assert "13.1: driver 580.95.05 of this host cannot run it (CUDA 13.1 brings driver 590.44.01, and mode is strict)" in told, output
    assert "cuda_toolkit_mode compatible would do with branch 580" in told
    output, told = converge("gpu-0", **{**wish, "cuda_toolkit_versions": ["13.1"], "cuda_toolkit_mode": "compatible"})
    assert "the repository has no such cuda-toolkit-13-1 (there is: none of that name)" in told, output


def test_what_cannot_be_installed_leaves_the_host_as_it_was():
    before = connect("gpu-0").check_output("dpkg-query -W; apt-mark showhold; readlink -f /usr/local/cuda; ls -A /etc/apt/preferences.d")
    output, told = converge("gpu-0", cuda_toolkit_versions=["12.9"], cuda_toolkit_default="")
    assert "The CUDA toolkits could not be changed" in told and "The host is as it was before" in told, output
    after = connect("gpu-0").check_output("dpkg-query -W; apt-mark showhold; readlink -f /usr/local/cuda; ls -A /etc/apt/preferences.d")
    assert before == after


def test_others_go_only_when_asked():
    wish = {"cuda_toolkit_versions": ["13.0"], "cuda_toolkit_default": ""}
    converge("gpu-0", **wish)
    assert "cuda-toolkit-12-8" in toolkits("gpu-0")
    output, told = converge("gpu-0", **wish, cuda_toolkit_remove_others=True)
    assert set(toolkits("gpu-0")) == {"cuda-toolkit-13-0", "cuda-libraries-13-0"}, output
    assert connect("gpu-0").package("libcuda1").version == "580.95.05-1" and "V13.0.2" in nvcc("gpu-0")
    assert not connect("gpu-0").file("/usr/local/cuda-12.8").exists


def test_the_runtime_is_smaller_and_an_update_is_named():
    output, told = converge("builder-0", cuda_toolkit_versions=["12.4.1"], cuda_toolkit_profile="runtime", cuda_toolkit_pins={})
    assert toolkits("builder-0")["cuda-libraries-12-4"] == "12.4.1-1" and "cuda-toolkit-12-4" not in toolkits("builder-0"), output
    assert not connect("builder-0").package("cuda-drivers").is_installed
