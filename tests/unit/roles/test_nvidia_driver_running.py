# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role nvidia_driver makes of a driver that is to run: its persistence daemon, and a newer kernel for it."""

from __future__ import annotations

import pytest

from tests.unit.roles.driver_shapes import BUSY, INSTALLED, NO_CHANGE, PINS, WORKING, with_driver

UBUNTU_PINS = {
    **PINS, "platform": "Ubuntu-24",
    "packages": {"nvidia-utils-580": "580.95.05-1", "libnvidia-compute-580": "580.95.05-1", "nvidia-dkms-580": "580.95.05-1"},
}  # fmt: skip
DAEMON = "nvidia-compute-utils-580"
SETTLED = dict.fromkeys(("nvidia-utils-580", "libnvidia-compute-580", "nvidia-dkms-580-open"), "580.95.05-1")


@pytest.mark.parametrize(
    ("system", "settings", "package"),
    [
        ("Ubuntu-24", {}, DAEMON),
        ("Ubuntu-22", {"nvidia_driver_source": "distribution", "nvidia_driver_branch": 580}, DAEMON + "-server"),
        ("Ubuntu-24", {"nvidia_driver_branch": 590}, None),
        ("Ubuntu-24", {"nvidia_driver_persistence": False}, None),
        ("Ubuntu-24", {"nvidia_driver_kernel_modules": False}, None),
        ("Ubuntu-24", {"nvidia_driver_pins": UBUNTU_PINS}, None),
        ("Ubuntu-24", {"nvidia_driver_pins": {**UBUNTU_PINS, "packages": {**UBUNTU_PINS["packages"], DAEMON: "580.95.05-1"}}}, DAEMON),
        ("Debian-12", {}, None),
        ("Debian-13", {"nvidia_driver_source": "distribution"}, None),
    ],
)
def test_persistence_daemon_comes_where_the_other_packages_do_not_want_it(ask, system, settings, package):
    found = ask("_nvidia_driver_packages", {}, system, **settings)
    assert [name for name in found if "compute-utils" in name] == ([package] if package else [])


@pytest.mark.parametrize(
    ("there", "settings", "comes"),
    [
        (SETTLED, {}, False),
        (SETTLED, {"nvidia_driver_version": "580.126.09"}, True),
        ({**SETTLED, DAEMON: "580.95.05-1"}, {}, True),
        # stopped between its packages
        ({"nvidia-utils-580": "580.95.05-1"}, {}, True),
        # of the other source's names, which go
        (SETTLED, {"nvidia_driver_source": "distribution", "nvidia_driver_branch": 580}, True),
    ],
)
def test_a_settled_driver_is_not_exchanged_for_the_persistence_daemon(ask, there, settings, comes):
    facts = with_driver(source="packages", managed=True, version="580.95.05", packages=there)
    packages = ask("_nvidia_driver_packages", facts, "Ubuntu-24", **settings)
    assert any(name.startswith("nvidia-compute-utils-") for name in packages) is comes


def test_gpus_without_persistence_mode_are_told(problems, monkeypatch):
    daemon = {**INSTALLED, "managed": True, "packages": {**INSTALLED["packages"], "nvidia-persistenced": "580.95.05-1"}}
    forgetful = {
        **WORKING, "driver": {**WORKING["driver"], "installed": daemon},
        "smi": {**WORKING["smi"], "gpus": [{"persistence_mode": False}, {"persistence_mode": True}, {"persistence_mode": None}]},
    }  # fmt: skip
    assert problems(forgetful).startswith("gpu1 has 1 GPUs without persistence mode, and nvidia_driver_persistence is true")
    assert problems(forgetful, nvidia_driver_persistence=False) == problems(forgetful, nvidia_driver_kernel_modules=False) == ""
    for other in ({"managed": False}, {"packages": INSTALLED["packages"]}):
        assert problems({**forgetful, "driver": {**WORKING["driver"], "installed": {**daemon, **other}}}) == ""
    monkeypatch.setitem(NO_CHANGE, "persistence_problem", "nvidia-persistenced.service is masked.")
    assert problems(WORKING) == "gpu1: nvidia-persistenced.service is masked."


NEWER = {**NO_CHANGE, "changed": True, "wanted": True, "headers": ["linux-headers-6.1.0-98-amd64"], "wished": ["libcuda1"],
         "replaced": ["6.1.0-56-amd64"], "kernels": ["6.1.0-98-amd64"]}  # fmt: skip
WAITS = {**WORKING, "driver_state": "reboot_pending", "driver_reasons": ["module 580.95.05 is built for kernel 6.1.0-98-amd64"]}


@pytest.mark.parametrize(
    ("facts", "settings", "told"),
    [
        ({}, {}, "built for 6.1.0-98-amd64, and wait for a reboot into it. Reboot it then, or set nvidia_driver_reboot to if_required."),
        ({}, {"nvidia_driver_reboot": "if_required"}, "gpu1 has no headers for kernel 6.1.0-56-amd64: the driver would be built for 6"),
        ({}, {"nvidia_driver_reboot": "if_required"}, "and the host be rebooted into it."),
        (
            BUSY,
            {"nvidia_driver_reboot": "if_required"},
            "2 processes use its GPUs (python3 pid 7, unknown pid 8), which would put off the reboot into it.",
        ),
        (WAITS, {}, "gpu1 has no headers for kernel 6.1.0-56-amd64: the driver would be built for 6.1.0-98-amd64"),
    ],
)
def test_check_mode_says_which_kernel_would_come_and_what_would_wait(ask, facts, settings, told):
    settings = {"ansible_check_mode": True, **settings}
    assert told in ask("_nvidia_driver_waits_words", facts, **settings, __nvidia_driver_change=NEWER)
    assert ask("_nvidia_driver_predicts_kernel", facts, **settings, __nvidia_driver_change=NEWER)


def test_restart_into_a_newer_kernel_is_due_by_policy_and_not_under_jobs(ask):
    by_policy = {"nvidia_driver_reboot": "if_required", "__nvidia_driver_change": NEWER}
    assert ask("_nvidia_driver_reboot_due", WAITS, **by_policy)
    assert not ask("_nvidia_driver_reboot_due", {**WAITS, **BUSY}, **by_policy)
    assert not ask("_nvidia_driver_reboot_due", WAITS, __nvidia_driver_change=NEWER)
    nothing = {"ansible_check_mode": True, "__nvidia_driver_change": {**NEWER, "wanted": False}}
    assert not ask("_nvidia_driver_predicts_kernel", WAITS, **nothing)
    told = "waits for a reboot before its NVIDIA driver works: module 580.95.05 is built for kernel 6.1.0-98-amd64"
    assert told in ask("_nvidia_driver_waits_words", WAITS, **nothing)


def test_headers_of_a_kernel_that_may_be_replaced_are_not_asked_of_apt(ask):
    assert ask("_nvidia_driver_asked_of_apt", {}, __nvidia_driver_change=NEWER) == ["linux-headers-6.1.0-98-amd64"]
    may = {"nvidia_driver_kernel_upgrade": "if_required", "__nvidia_driver_change": NEWER}
    assert ask("_nvidia_driver_asked_of_apt", {}, **may) == []
    assert ask("_nvidia_driver_asked_of_apt", {}, **may, nvidia_driver_source="distribution") == ["libcuda1"]


def test_a_daemon_that_was_started_is_no_reason_to_restart(ask):
    started = {**NO_CHANGE, "changed": True, "wanted": True, "exchanged": False, "persistence": ["start"]}
    always = {"nvidia_driver_reboot": "always"}
    assert not ask("_nvidia_driver_reboot_due", WORKING, **always, __nvidia_driver_change=started)
    assert ask("_nvidia_driver_reboot_due", WORKING, **always, __nvidia_driver_change={**started, "exchanged": True})
