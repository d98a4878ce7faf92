# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role nvidia_driver makes of a host that it has read: packages, refusals, and what is wrong at the end."""

from __future__ import annotations

import json

import pytest

from tests.unit.roles.driver_shapes import BUSY, GPU, IMAGE, INSTALLED, NO_CHANGE, PINS, WORKING, with_driver

LOCAL = {"nvidia_driver_source": "local", "nvidia_driver_local_repository": "/srv/nvidia"}


@pytest.mark.parametrize("system", ["Debian-12", "Ubuntu-24"])
def test_local_repository_has_nvidias_packages(ask, system):
    for wished in ({}, {"nvidia_driver_branch": 595}):
        facts = {"nvswitch_count": 4}
        assert ask("_nvidia_driver_packages", facts, system=system, **LOCAL, **wished) == ask(
            "_nvidia_driver_packages", facts, system=system, **wished
        )
    assert ask("_nvidia_driver_branch", {}, **LOCAL) == 580 and ask("_nvidia_driver_refusals", {}, **LOCAL) == []


def test_pins_are_of_the_local_repository_where_there_is_one(ask):
    assert ask("_nvidia_driver_source", {}, **LOCAL, nvidia_driver_pins=PINS) == "local"
    assert ask("_nvidia_driver_source", {}, **LOCAL, nvidia_driver_pins={**PINS, "source": "distribution"}) == "distribution"
    assert ask("_nvidia_driver_source", {}, nvidia_driver_pins={**PINS, "source": "local"}) == "local"
    assert ask("_nvidia_driver_source", {}, nvidia_driver_pins=PINS) == "nvidia"


def test_usual_host_is_refused_nothing(ask):
    assert ask("_nvidia_driver_refusals", {}, mlinfra_gpu_count=8) == []
    assert ask("_nvidia_driver_packages", {}) == ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"]


@pytest.mark.parametrize(
    ("facts", "settings", "told"),
    [
        ({"container": True}, {"nvidia_driver_reboot": "always"}, "nvidia_driver_reboot is always: gpu1 is a container (podman)"),
        ({}, {"mlinfra_gpu_count": 0, "mlinfra_instance_type": "g6f.xlarge"}, "gpu1 has a part of a GPU only (g6f.xlarge)"),
        ({}, {"mlinfra_gpu_count": 0, "nvidia_driver_kernel_modules": False}, "gpu1 has a part of a GPU only (mlinfra_gpu_count is 0)"),
        (
            {"driver": {**GPU["driver"], "installed": IMAGE}},
            {"nvidia_driver_existing": "refuse"},
            "gpu1 has NVIDIA's driver 550.54.15 from no package, as NVIDIA's installer leaves it, and this role did not install it",
        ),
        ({"nvswitch_count": 4}, {"nvidia_driver_source": "distribution"}, "gpu1 has 4 NVSwitches: CUDA wants a fabric manager of exactly"),
        ({"nvswitch_count": 1}, {"nvidia_driver_source": "distribution"}, "gpu1 has 1 NVSwitch: CUDA wants a fabric manager of exactly"),
        ({"models": ["b200"]}, {"nvidia_driver_source": "distribution"}, "gpu1 has GPUs of model B200: CUDA wants a fabric manager"),
        ({}, {"nvidia_driver_source": "local"}, "nvidia_driver_source is local, and nvidia_driver_local_repository is empty: set it to"),
        ({}, {"nvidia_driver_pins": {**PINS, "source": "local"}}, "nvidia_driver_pins are local, and nvidia_driver_local_repository is"),
        ({}, {"nvidia_driver_pins": "/nowhere/pins.yml"}, "nvidia_driver_pins is /nowhere/pins.yml: there is no such file."),
        ({}, {"nvidia_driver_pins": {"schema": 7}}, "nvidia_driver_pins.schema is 7: this release of the collection knows schema 1."),
        (
            {},
            {"nvidia_driver_pins": PINS, "nvidia_driver_version": "595.58.03"},
            "nvidia_driver_pins are of driver 580.95.05, and nvidia_driver_version is 595.58.03: the version is in the pins.",
        ),
        (
            {},
            {"nvidia_driver_pins": PINS, "nvidia_driver_branch": 595},
            "nvidia_driver_pins are of driver 580.95.05, and nvidia_driver_branch is 595",
        ),
        ({"secure_boot": "enabled"}, {}, "gpu1 boots with Secure Boot"),
    ],
)
def test_refused_before_anything_is_changed(ask, facts, settings, told):
    (message,) = ask("_nvidia_driver_refusals", facts, **settings)
    assert message.startswith(told)


@pytest.mark.parametrize(
    ("facts", "settings"),
    [
        ({"container": True}, {"nvidia_driver_reboot": "if_required"}),
        ({"nvswitch_count": 4, "models": ["b200"]}, {"nvidia_driver_source": "distribution", "nvidia_driver_kernel_modules": False}),
        ({"nvswitch_count": 4}, {"nvidia_driver_source": "distribution", "nvidia_driver_branch": 580, "system": "Ubuntu-24"}),
        ({"secure_boot": "enabled"}, {"nvidia_driver_key_enrolled": True}),
        ({"secure_boot": "enabled"}, {"nvidia_driver_kernel_modules": False}),
        ({**WORKING, "secure_boot": "enabled"}, {}),
    ],
)
def test_not_refused_where_it_can_work(ask, facts, settings):
    assert ask("_nvidia_driver_refusals", facts, **settings) == []


def test_next_step_of_secure_boot_names_the_key_of_the_distribution(ask):
    (debian,) = ask("_nvidia_driver_refusals", {"secure_boot": "enabled"})
    (ubuntu,) = ask("_nvidia_driver_refusals", {"secure_boot": "enabled"}, "Ubuntu-22")
    assert "mokutil --import /var/lib/dkms/mok.pub" in debian and "nvidia_driver_key_enrolled" in debian
    assert "update-secureboot-policy --new-key" in ubuntu and "mokutil --import /var/lib/shim-signed/mok/MOK.der" in ubuntu


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "nvidia-fabricmanager"),
        ({"nvidia_driver_branch": 570}, "nvidia-fabricmanager-570"),
        ({"nvidia_driver_version": "535.54.03"}, "nvidia-fabricmanager-535"),
        ({"system": "Ubuntu-24", "nvidia_driver_branch": 580}, "nvidia-fabricmanager"),
        ({"system": "Ubuntu-24", "nvidia_driver_branch": 580, "nvidia_driver_source": "distribution"}, "nvidia-fabricmanager-580"),
    ],
)
def test_fabric_manager_belongs_to_the_driver_where_a_switch_is(ask, settings, name):
    assert ask("_nvidia_driver_packages", {"nvswitch_count": 4}, **settings)[-1] == name
    assert name not in ask("_nvidia_driver_packages", {}, **settings)


@pytest.mark.parametrize(
    ("reboot", "facts", "due"),
    [
        ("always", {}, True),
        ("always", {"container": True}, False),
        ("if_required", {"driver_state": "reboot_pending"}, True),
        ("if_required", {"driver_state": "reboot_pending", "container": True}, False),
        ("never", {"driver_state": "reboot_pending"}, False),
    ],
)
def test_reboot_is_due(ask, reboot, facts, due, monkeypatch):
    for one in ("changed", "exchanged"):
        monkeypatch.setitem(NO_CHANGE, one, True)
    assert ask("_nvidia_driver_reboot_due", facts, nvidia_driver_reboot=reboot) is due


def test_working_driver_has_no_problem(problems):
    assert problems(WORKING) == ""


def test_modules_that_could_not_be_loaded(problems, monkeypatch):
    monkeypatch.setitem(NO_CHANGE, "load_problem", "modprobe nvidia: Key was rejected by service")
    unloaded = {**WORKING, "driver": {**WORKING["driver"], "loaded": {"is_loaded": False, "version": None}}}
    assert problems(unloaded).startswith("modprobe nvidia: Key was rejected by service on gpu1. Look at journalctl -k.")
    # nouveau had the GPU: a reboot makes it work, or has made it work
    assert problems({**unloaded, "driver_state": "reboot_pending"}) == "" == problems(WORKING)


def test_loaded_driver_that_does_not_answer(problems):
    silent = {**WORKING, "smi": {"problem": "no_devices", "error": "nvidia-smi returned 6: No devices were found"}}
    assert "is loaded and does not answer: nvidia-smi returned 6: No devices were found" in problems(silent)
    assert problems({**silent, "container": True}) == ""


def test_fabric_manager_must_run_and_be_of_the_drivers_version(problems):
    assert problems({**WORKING, "nvswitch_count": 4}).startswith("the fabric manager of gpu1 is inactive")
    other = {**INSTALLED, "packages": {"nvidia-fabricmanager-580": "1:580.126.09-1"}}
    told = problems({**WORKING, "nvswitch_count": 4, "driver": {**WORKING["driver"], "installed": other}})
    assert told.startswith("gpu1 has 4 NVSwitches and fabric manager 1:580.126.09-1, and its driver is 580.95.05")
    assert problems({**WORKING, "nvswitch_count": 4}, nvidia_driver_kernel_modules=False) == ""


def test_what_waits_for_a_reboot_is_told_with_the_reason(ask):
    told = ask("_nvidia_driver_waits", {"driver_reasons": ["nouveau is loaded and holds the GPUs until the host restarts"]})
    assert told.startswith("gpu1 waits for a reboot") and "nouveau is loaded" in told and "nvidia_driver_reboot to if_required" in told


def test_pins_say_all_of_the_wish(ask):
    wish = {
        name: ask(f"_nvidia_driver_{name}", {}, nvidia_driver_pins=PINS) for name in ("version", "branch", "flavor", "source", "kernels")
    }
    assert wish == {"version": "580.95.05", "branch": 580, "flavor": "proprietary", "source": "nvidia", "kernels": ["6.1.0-99-amd64"]}
    assert ask("_nvidia_driver_packages", {"nvswitch_count": 4}, nvidia_driver_pins=PINS) == [
        "nvidia-driver-cuda", "nvidia-kernel-dkms", "nvidia-fabricmanager",
    ]  # fmt: skip
    without = {**PINS, "driver": {**PINS["driver"], "flavor": None}, "kernels": []}
    assert ask("_nvidia_driver_packages", {"nvswitch_count": 4}, nvidia_driver_pins=without) == ["nvidia-driver-cuda"]


def test_pins_in_a_file(ask, tmp_path):
    (tmp_path / "pins.json").write_text(json.dumps(PINS))
    assert ask("_nvidia_driver_version", {}, nvidia_driver_pins=str(tmp_path / "pins.json")) == "580.95.05"
    (tmp_path / "broken.yml").write_text("a: [")
    assert "broken.yml: it cannot be read (" in ask("_nvidia_driver_wrong_pins", {}, nvidia_driver_pins=str(tmp_path / "broken.yml"))


def test_subnet_manager_goes_where_b200_is(ask):
    assert ask("_nvidia_driver_companions", {"models": ["b200"]}) == ["nvlsm"]
    assert ask("_nvidia_driver_packages", {"models": ["b200"]})[-1] == "nvidia-fabricmanager"
    assert ask("_nvidia_driver_companions", {"nvswitch_count": 4}) == []


@pytest.mark.parametrize(
    ("installed", "settings", "kept", "told"),
    [
        ({}, {}, True, ""),
        ({}, {"nvidia_driver_branch": 550}, True, ""),
        ({}, {"nvidia_driver_version": "550.54.15"}, True, ""),
        ({}, {"nvidia_driver_branch": 580}, True, "nvidia_driver_branch is 580, and nvidia_driver_existing is keep. Set it to take_over"),
        ({"source": "packages"}, {"nvidia_driver_version": "580.95.05"}, True, "nvidia_driver_version is 580.95.05"),
        ({"source": "packages"}, {"nvidia_driver_pins": PINS}, True, "nvidia_driver_pins are of 580.95.05"),
        ({}, {"nvidia_driver_existing": "take_over", "nvidia_driver_branch": 580}, False, ""),
        ({"source": "packages", "managed": True}, {"nvidia_driver_branch": 580}, False, ""),
        ({"source": None, "version": None}, {"nvidia_driver_branch": 580}, False, ""),
    ],
)
def test_driver_of_the_image(ask, installed, settings, kept, told):
    assert ask("_nvidia_driver_is_kept", with_driver(**installed), **settings) is kept
    said = ask("_nvidia_driver_existing_differs", with_driver(**installed), **settings)
    assert told in said and bool(said) is bool(told)


# After an unattended upgrade: another library than the module that jobs run on, so that nvidia-smi says nothing of them.
PARTED = {
    **WORKING,
    "driver_state": "reboot_pending",
    "driver_reasons": ["module 580.95.05 is loaded, user space is 580.126.09"],
    "smi": {"problem": "version_mismatch", "error": "Failed to initialize NVML: Driver/library version mismatch"},
}


def test_running_jobs_keep_their_driver(ask, monkeypatch):
    monkeypatch.setitem(NO_CHANGE, "wished", ["nvidia-driver-cuda=595.58.03-1"])
    told = ask("_nvidia_driver_busy_problem", {**WORKING, **BUSY})
    assert told.startswith("gpu1: 2 processes use its GPUs (python3 pid 7, unknown pid 8), and the driver would be exchanged under them (")
    assert ask("_nvidia_driver_busy_problem", {**WORKING, **BUSY}, nvidia_driver_busy="proceed") == ""
    assert ask("_nvidia_driver_busy_problem", WORKING) == ""
    monkeypatch.setitem(NO_CHANGE, "wished", [])
    assert ask("_nvidia_driver_busy_problem", {**WORKING, **BUSY}) == ""


@pytest.mark.parametrize(
    ("users", "told"),
    [
        (BUSY["users"], "Not now: 2 processes use its GPUs (python3 pid 7, unknown pid 8). Drain it, then run this again."),
        (None, "Not now: it cannot be told whether processes use its GPUs (nvidia-smi does not say, and not all open files"),
    ],
)
def test_no_reboot_under_jobs_that_an_upgrade_has_parted_from_their_library(ask, users, told):
    assert ask("_nvidia_driver_reboot_due", {**PARTED, "users": []}, nvidia_driver_reboot="if_required") is True
    pending = {**PARTED, "users": users}
    assert ask("_nvidia_driver_reboot_due", pending, nvidia_driver_reboot="if_required") is False
    assert told in ask("_nvidia_driver_waits", pending)
    assert ask("_nvidia_driver_reboot_due", pending, nvidia_driver_reboot="if_required", nvidia_driver_busy="proceed") is True


@pytest.mark.parametrize(
    ("kernel", "due", "told"),
    [
        ({"running": "6.1.0-99-amd64", "newest_installed": "6.1.0-99-amd64"}, False, None),
        ({"running": "6.1.0-56-amd64", "newest_installed": "6.1.0-99-amd64"}, True, "set nvidia_driver_reboot to if_required"),
        ({"running": "6.1.0-56-amd64", "newest_installed": "6.1.0-100-amd64"}, False, "A restart would start 6.1.0-100-amd64"),
    ],
)
def test_pinned_kernel_is_reached_by_a_reboot(ask, kernel, due, told):
    host = {**WORKING, "kernel": kernel}
    assert ask("_nvidia_driver_reboot_due", host, nvidia_driver_pins=PINS, nvidia_driver_reboot="if_required") is due
    assert ask("_nvidia_driver_other_kernel", host, nvidia_driver_pins=PINS) is (told is not None)
    assert ask("_nvidia_driver_other_kernel", {**host, "container": True}, nvidia_driver_pins=PINS) is False
    if told:
        assert told in ask("_nvidia_driver_waits_for_kernel", host, nvidia_driver_pins=PINS)


@pytest.mark.parametrize(("running", "waits"), [("6.1.0-56-amd64", True), ("6.1.0-100-amd64", False)])
def test_newer_kernel_that_the_driver_is_built_for_as_well_is_as_good(ask, running, waits):
    host = {**WORKING, "kernel": {"running": running, "newest_installed": "6.1.0-100-amd64"}}
    given = {"nvidia_driver_pins": PINS, "__nvidia_driver_change": {**NO_CHANGE, "kernels": ["6.1.0-99-amd64", "6.1.0-100-amd64"]}}
    assert ask("_nvidia_driver_other_kernel", host, **given) is waits
    assert ask("_nvidia_driver_reboot_due", host, **given, nvidia_driver_reboot="if_required") is waits
    assert "set nvidia_driver_reboot to if_required" in ask("_nvidia_driver_waits_for_kernel", host, **given)


@pytest.mark.parametrize(
    ("facts", "change", "settings", "acts"),
    [
        ({}, {}, {}, False),
        ({}, {"wanted": True}, {}, True),
        ({"target": {"in_use": True}}, {}, {}, True),
        ({"driver_state": "reboot_pending"}, {}, {}, False),
        ({"driver_state": "reboot_pending"}, {}, {"nvidia_driver_reboot": "if_required"}, True),
        ({"nvswitch_count": 4}, {}, {}, True),
        ({"nvswitch_count": 4}, {}, {"nvidia_driver_kernel_modules": False}, False),
    ],
)
def test_a_driver_as_wished_is_passed_over_at_once(ask, monkeypatch, facts, change, settings, acts):
    for key, value in {"wanted": False, **change}.items():
        monkeypatch.setitem(NO_CHANGE, key, value)
    assert ask("_nvidia_driver_acts", {**WORKING, **facts}, **settings) is acts
