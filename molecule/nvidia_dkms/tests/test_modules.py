# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real modules where they build; a host as it was before, and the reason, where they do not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SNAPSHOT = (Path(__file__).resolve().parents[2] / "nvidia_driver" / "snapshot.sh").read_text()
MODULES = {"nvidia-current", "nvidia-current-drm", "nvidia-current-modeset", "nvidia-current-peermem", "nvidia-current-uvm"}


@pytest.fixture
def variables(host):
    return host.ansible.get_variables()


@pytest.fixture
def found(variables):
    return json.loads((EPHEMERAL / f"{variables['inventory_hostname']}.json").read_text())


@pytest.fixture
def builds(host, variables):
    if variables["mlinfra_pool"] != "builds":
        pytest.skip("nothing is built here")


@pytest.fixture
def fails(host, variables):
    if variables["mlinfra_pool"] != "fails":
        pytest.skip("nothing fails here")


def test_headers_came_with_the_role(host, builds, found):
    assert not [line for line in found["before"] if line.startswith("linux-headers")]
    assert host.package(f"linux-headers-{found['kernel']}").is_installed


def test_dkms_calls_it_installed(host, builds, found):
    with host.sudo():
        status = host.check_output("dkms status")
    assert re.fullmatch(rf"nvidia-current/535\.[\d.]+, {re.escape(found['kernel'])}, x86_64: installed", status.strip()), status


def test_five_modules_are_of_this_kernel_and_driver(host, builds, found):
    folder = f"/lib/modules/{found['kernel']}/updates/dkms"
    names = {name.split(".")[0] for name in host.file(folder).listdir()}
    assert names == MODULES
    driver = host.package("libcuda1").version.split("-")[0]
    with host.sudo():
        for name in MODULES:
            path = f"{folder}/{name}.ko"
            assert host.check_output("modinfo -F vermagic %s", path).split()[0] == found["kernel"]
            assert host.check_output("modinfo -F version %s", path) == driver


def test_manifest_and_holds(host, builds, found):
    with host.sudo():
        manifest = json.loads(host.file("/var/lib/mlinfra/nvidia_driver.json").content_string)
    assert list(manifest["kernels"]) == [found["kernel"]] and len(manifest["kernels"][found["kernel"]]) == 5
    assert manifest["flavor"] == "proprietary"
    held = set(host.check_output("apt-mark showhold").split())
    assert {"nvidia-kernel-dkms", "libcuda1", "nvidia-smi", "firmware-nvidia-gsp"} <= held == set(manifest["held"])
    assert "blacklist nouveau\n" in host.file("/etc/modprobe.d/mlinfra-nvidia.conf").content_string


def test_failure_says_what_does_not_build_and_why(fails, found):
    undone = json.loads((EPHEMERAL / "undone.json").read_text())
    message = undone["msg"]
    assert re.match(
        r"The kernel modules of driver nvidia-current-open 550\.[\d.]+ do not build for kernel " + re.escape(found["kernel"]), message
    )
    assert re.search(r"\.c:\d+:\d+: error: ", message), message
    assert "The host is as it was before (" in message and "nvidia_driver_kernels" in message, message
    assert len(message.splitlines()) < 20 and max(map(len, message.splitlines())) < 600, message


def test_host_is_as_before(host, fails, found):
    with host.sudo():
        done = host.run("sh -c %s", SNAPSHOT)
    assert done.rc == 0, done.stderr
    assert sorted(set(done.stdout.splitlines()) ^ set(found["before"])) == []
