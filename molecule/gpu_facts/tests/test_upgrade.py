# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules that are built, upgraded under a loaded one, and fail to build."""

from __future__ import annotations

import pytest

POOL = "a10g"
OLD, NEW, BROKEN = "580.95.05", "580.126.09", "595.99.01"


@pytest.fixture
def running(host):
    """The kernel, whose headers seem to be there."""
    release = host.check_output("uname -r")
    host.check_output(f"sudo mkdir -p /lib/modules/{release}/build")
    return release


def test_an_upgrade_under_a_loaded_module(host, look, driver, running):
    assert driver(OLD, modules=True).rc == 0
    facts = look()
    assert facts["driver_state"] == "coherent" and facts["driver"]["installed"]["flavor"] == "open"
    assert facts["driver"]["kernel_module_built_for"] == [running] and facts["kernel"]["headers"] is True
    assert facts["driver"]["dkms"] == [OLD]
    host.check_output(f"sudo stub-nvidia load {OLD}")
    assert driver(NEW, modules=True).rc == 0
    facts = look()
    assert facts["driver_state"] == "reboot_pending" and facts["smi"]["problem"] == "version_mismatch"
    assert facts["driver_reasons"][0] == f"module {OLD} is loaded, user space is {NEW}"
    host.check_output("sudo stub-nvidia unload")
    assert look()["driver_state"] == "coherent"
    host.check_output(f"sudo mv /lib/modules/{running} /lib/modules/{running}-next")
    assert look()["driver_state"] == "reboot_pending"


def test_a_failed_build(host, look, driver, running):
    assert driver(OLD, modules=True).rc == 0
    host.check_output(f"sudo stub-nvidia load {OLD}")
    assert driver(BROKEN, modules=True).rc != 0
    facts = look()
    assert facts["driver_state"] == "mismatch"
    assert facts["driver"]["installed"]["half_installed"] == ["nvidia-kernel-open-dkms (half-configured)"]
    assert "package nvidia-kernel-open-dkms (half-configured) is not wholly installed" in facts["driver_reasons"]
