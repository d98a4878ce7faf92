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
DRIVERS = {"bookworm": "535", "trixie": "550"}
MODULES = {"nvidia-current", "nvidia-current-drm", "nvidia-current-modeset", "nvidia-current-peermem", "nvidia-current-uvm"}


@pytest.fixture
def variables(host):
    return host.ansible.get_variables()


@pytest.fixture
def found(variables):
    return json.loads((EPHEMERAL / f"{variables['inventory_hostname']}.json").read_text())


@pytest.fixture
def trixie(host, variables):
    if variables["mlinfra_pool"] != "trixie":
        pytest.skip("nothing fails here")


def test_headers_came_with_the_role(host, found):
    assert not [line for line in found["before"] if line.startswith("linux-headers")]
    assert host.package(f"linux-headers-{found['kernel']}").is_installed


def test_dkms_calls_it_installed(host, found, variables):
    branch = DRIVERS[variables["mlinfra_pool"]]
    with host.sudo():
        status = host.check_output("dkms status")
    assert re.fullmatch(rf"nvidia-current/{branch}\.[\d.]+, {re.escape(found['kernel'])}, x86_64: installed", status.strip()), status


def test_five_modules_are_of_this_kernel_and_driver(host, found):
    folder = f"/lib/modules/{found['kernel']}/updates/dkms"
    paths = {name.split(".")[0]: f"{folder}/{name}" for name in host.file(folder).listdir()}  # trixie's are compressed
    assert set(paths) == MODULES
    driver = host.package("libcuda1").version.split("-")[0]
    with host.sudo():
        for path in paths.values():
            assert host.check_output("modinfo -F vermagic %s", path).split()[0] == found["kernel"]
            assert host.check_output("modinfo -F version %s", path) == driver


def test_manifest_and_holds(host, found):
    with host.sudo():
        manifest = json.loads(host.file("/var/lib/mlinfra/nvidia_driver.json").content_string)
    assert list(manifest["kernels"]) == [found["kernel"]] and len(manifest["kernels"][found["kernel"]]) == 5
    assert manifest["flavor"] == "proprietary"
    held = set(host.check_output("apt-mark showhold").split())
    assert {"nvidia-kernel-dkms", "libcuda1", "nvidia-smi", "firmware-nvidia-gsp"} <= held == set(manifest["held"])
    assert "blacklist nouveau\n" in host.file("/etc/modprobe.d/mlinfra-nvidia.conf").content_string


def failure(name):
    return json.loads((EPHEMERAL / f"{name}.json").read_text())


def differing(found, after):
    return sorted(set(after) ^ set(found["before"]))


def test_pair_that_is_known_not_to_build_is_refused(trixie, found):
    refused = failure("refused")
    assert re.match(
        r"nvidia_driver_flavor is open: driver 550\.163\.01 does not build for kernel " + re.escape(found["kernel"]), refused["msg"]
    )
    assert "Nothing was changed. Set nvidia_driver_flavor to proprietary" in refused["msg"]
    assert differing(found, refused["after"]) == []


def test_failure_says_what_does_not_build_and_why_and_is_undone(trixie, found):
    undone = failure("undone")
    message = undone["msg"]
    assert re.match(r"The kernel modules of driver nvidia-current 550\.[\d.]+ do not build for kernel 6\.12\.1-incomplete:\n", message), (
        message
    )
    assert "*** " in message, message
    assert "The host is as it was before (" in message and "nvidia_driver_kernels" in message, message
    assert len(message.splitlines()) < 20 and max(map(len, message.splitlines())) < 600, message
    assert differing(found, undone["after"]) == []
