# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gpu_facts says of real hosts, and of the driver on two of them from none to several."""

from __future__ import annotations

import json

import pytest

NVSWITCHES = {"a100": 6, "h100": 4}
ARCHITECTURES = {"a10g": ["ampere"], "t4": ["turing"], "a100": ["ampere"], "h100": ["hopper"], "mirror": []}
OLD, NEW, BRANCH = "580.95.05", "580.126.09", "590.48.01"
USER_SPACE = (
    "nvidia-driver-cuda", "libcuda1", "libcudadebugger1", "libnvidia-cfg1", "libnvidia-ml1", "libnvidia-nvvm4", "nvidia-modprobe",
    "libnvidia-ptxjitcompiler1", "nvidia-kernel-support", "nvidia-opencl-icd", "nvidia-persistenced",
)  # fmt: skip
MODULES = ("nvidia-kernel-open-dkms", "firmware-nvidia-gsp", "nvidia-kernel-support", "nvidia-modprobe")


def look(host, arguments="", **options):
    answer = host.ansible("mlinfra.hosts.gpu_facts", arguments, check=False, **options)
    assert "ansible_facts" in answer, json.dumps(answer)
    assert answer["changed"] is False
    return answer["ansible_facts"]["mlinfra_gpu"]


@pytest.fixture
def pool(host):
    return host.ansible.get_variables()["mlinfra_pool"]


@pytest.fixture
def driver(host, pool):
    """Install versions of the driver's packages, for tests on hosts that may have one; none is left."""
    if pool not in ("a10g", "t4"):
        pytest.skip("no driver here")

    def install(version, packages=USER_SPACE):
        wished = " ".join(f"{name}={version}-1" for name in packages)
        return host.run(f"sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --allow-downgrades {wished}")

    yield install
    host.check_output("test ! -x /usr/sbin/stub-nvidia || sudo stub-nvidia unload")
    host.check_output("sudo apt-get purge -y -q '~n^nvidia' '~n^libnvidia' libcuda1 libcudadebugger1 firmware-nvidia-gsp")
    host.check_output("sudo rm -rf /lib/modules /var/lib/dkms")


def test_devices_before_any_driver(host, pool):
    facts = look(host)
    assert facts["architectures"] == ARCHITECTURES[pool] and facts["nvswitch_count"] == NVSWITCHES.get(pool, 0)
    assert facts["driver_state"] == "absent" and facts["smi"]["available"] is False
    assert facts["container"] is True and facts["unread"] == []
    assert facts["kernel"]["running"] == host.check_output("uname -r")


def test_the_same_as_lspci_says(host, pool):
    listed = host.check_output("lspci -Dn -d 10de::0302").splitlines()
    assert [(gpu["address"], gpu["vendor"] + ":" + gpu["device"]) for gpu in look(host)["devices"]] == [
        (line.split()[0], line.split()[2]) for line in listed
    ]


def test_user_space_alone(host, driver):
    assert driver(OLD).rc == 0
    facts = look(host)
    assert facts["driver_state"] == "user_space_only" and facts["driver"]["installed"]["version"] == OLD
    assert facts["driver"]["installed"]["source"] == "packages" and facts["smi"]["problem"] == "not_run"
    host.check_output(f"sudo stub-nvidia load {OLD}")
    facts = look(host)
    assert facts["driver_state"] == "coherent" and facts["driver"]["loaded"] == {"version": OLD, "flavor": "open", "is_loaded": True}
    assert [gpu["address"] for gpu in facts["smi"]["gpus"]] == [gpu["address"] for gpu in facts["devices"]]
    assert facts["smi"]["version"] == OLD and facts["mig"]["supported"] is False
    host.check_output("sudo touch /run/stub-nvidia/hangs")
    facts = look(host, "smi_timeout=1")
    assert facts["smi"]["problem"] == "timeout" and facts["driver_state"] == "coherent"


def test_an_upgrade_under_a_loaded_module(host, driver):
    running = host.check_output("uname -r")
    host.check_output(f"sudo mkdir -p /lib/modules/{running}/build")
    assert driver(OLD, {*USER_SPACE, *MODULES}).rc == 0
    facts = look(host)
    assert facts["driver_state"] == "coherent" and facts["driver"]["installed"]["flavor"] == "open"
    assert facts["driver"]["kernel_module_built_for"] == [running] and facts["kernel"]["headers"] is True
    assert facts["driver"]["dkms"] == [OLD]
    host.check_output(f"sudo stub-nvidia load {OLD}")
    assert driver(NEW, {*USER_SPACE, *MODULES}).rc == 0
    facts = look(host)
    assert facts["driver_state"] == "reboot_pending" and facts["smi"]["problem"] == "version_mismatch"
    assert facts["driver_reasons"][0] == f"module {OLD} is loaded, user space is {NEW}"
    host.check_output("sudo stub-nvidia unload")
    assert look(host)["driver_state"] == "coherent"
    host.check_output(f"sudo mv /lib/modules/{running} /lib/modules/{running}-next")
    assert look(host)["driver_state"] == "reboot_pending"


def test_a_failed_build(host, driver):
    running = host.check_output("uname -r")
    host.check_output(f"sudo mkdir -p /lib/modules/{running}/build")
    assert driver(OLD, {*USER_SPACE, *MODULES}).rc == 0
    host.check_output(f"sudo stub-nvidia load {OLD}")
    assert driver("595.99.01", {*USER_SPACE, *MODULES}).rc != 0
    facts = look(host)
    assert facts["driver_state"] == "mismatch"
    assert facts["driver"]["installed"]["half_installed"] == ["nvidia-kernel-open-dkms (half-configured)"]
    assert "package nvidia-kernel-open-dkms (half-configured) is not wholly installed" in facts["driver_reasons"]


def test_it_works_without_root(host, driver):
    assert driver(BRANCH).rc == 0
    assert look(host) == look(host, become=True)
