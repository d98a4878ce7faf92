# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles make of mlinfra_gpu_target: on the builder, and on a host from its image."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices, target
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import tables
from tests.unit.roles.test_nvidia_driver import GPU, WORKING

NO_GPU = {"present": False, "count": 0, "models": [], "architectures": [], "nvswitch_count": 0}
WISHED = target.understand(["a10g", "h100"], "x86_64")[0]
BUILDER = target.applied({**GPU, **NO_GPU}, WISHED)
PROVEN = "GPUs by cdi, driver 580.95.05, NVIDIA Container Toolkit 1.18.1"
PLATFORM = {"platform_names": ["Debian-12"], "distribution": "Debian", "distribution_major_version": "12", "architecture": "x86_64"}


@pytest.fixture
def driver(value_of):
    """Function (variable, facts, settings) → value of role nvidia_driver."""

    def value(name, facts, **settings):
        settings.setdefault("__nvidia_driver_change", {"changed": True, "exchanged": True, "load_problem": ""})
        known = {"mlinfra_gpu": facts, "mlinfra_platform": PLATFORM}
        return value_of("nvidia_driver", name, inventory_hostname="b1", ansible_facts=known, **settings)

    return value


@pytest.fixture
def runtime(value_of):
    """Function (variable, facts, records that are there, the subject in them) → value of role container_runtime."""

    def value(name, facts, *records, daemon_changed=False, toolkit="1.18.1-1", subject=PROVEN):
        paths = [value_of("container_runtime", one) for one in ("_container_runtime_record", "_container_runtime_image_record")]
        found = {"packages": {"nvidia-container-toolkit": {"version": toolkit}}, "paths": {one: {"exists": False} for one in paths}}
        for one in records:
            found["paths"][value_of("container_runtime", one)] = {"exists": True}
        found["contents"] = {paths[0]: json.dumps({"engine": "docker", "gpus": ["GPU 0"], "subject": subject}) if records else None}
        return value_of(
            "container_runtime", name, inventory_hostname="b1", ansible_facts={"mlinfra_gpu": facts}, __container_runtime_found=found,
            __container_runtime_daemon={"changed": daemon_changed},
        )  # fmt: skip

    return value


def test_builder_gets_what_all_of_them_want_and_is_refused_nothing(driver):
    assert driver("_nvidia_driver_refusals", BUILDER, mlinfra_gpu_count=0) == []
    assert driver("_nvidia_driver_packages", BUILDER) == ["nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-fabricmanager"]


def test_fabric_manager_that_an_image_cannot_have_names_the_declaration_and_the_way_out(driver):
    (told,) = driver("_nvidia_driver_refusals", BUILDER, nvidia_driver_source="distribution")
    assert told.startswith("mlinfra_gpu_target of b1 has a10g, h100, and hosts of the image may have NVSwitches: CUDA wants a fabric")
    assert told.endswith("or name in mlinfra_gpu_target the EC2 type of the hosts, where that has no NVSwitch, as p5.4xlarge.")
    (told,) = driver("_nvidia_driver_refusals", {**BUILDER, "models": ["b200"]}, nvidia_driver_source="distribution")
    assert told.endswith("come from elsewhere."), "no type of that model is without"


@pytest.mark.parametrize("reboot", ["if_required", "always"])
def test_builder_is_not_rebooted(driver, reboot):
    waiting = {"driver_state": "reboot_pending"}
    assert driver("_nvidia_driver_reboot_due", {**BUILDER, **waiting}, nvidia_driver_reboot=reboot) is False
    assert driver("_nvidia_driver_reboot_due", {**GPU, **waiting}, nvidia_driver_reboot=reboot) is True


def test_builder_says_what_is_not_proven(driver):
    change = {"__nvidia_driver_change": {"wanted": True}}
    told = driver("_nvidia_driver_unproven", BUILDER, ansible_check_mode=False, **change)
    assert "): packages and modules are there and held; nothing was loaded" in told
    told = driver("_nvidia_driver_unproven", BUILDER, ansible_check_mode=True, nvidia_driver_kernel_modules=False, **change)
    assert "): packages would be there and held; nothing was loaded" in told
    told = driver("_nvidia_driver_unproven", BUILDER, ansible_check_mode=True, __nvidia_driver_change={"wanted": False})
    assert "b1 has no GPU, and mlinfra_gpu_target stands in for it (a10g, h100)" in told and "NVSwitches" in told


@pytest.mark.parametrize("facts", [GPU, {**GPU, "target": None}, target.applied(WORKING, WISHED)])
def test_host_with_a_gpu_is_no_builder(driver, runtime, facts):
    assert driver("_nvidia_driver_for_image", facts) is False and runtime("_container_runtime_for_image", facts) is False


def test_fabric_manager_of_an_image_starts_where_an_nvswitch_is_or_a_gpu_that_has_its_own_elsewhere(driver, tmp_path):
    """The unit's condition, as a shell carries it out on a tree of devices."""
    content = driver("_nvidia_driver_fabric_condition_content", BUILDER)
    command = re.search(r"ExecCondition=/bin/sh -c '(.*)'", content).group(1)

    def code(*ids):
        bus = tmp_path / str(len(list(tmp_path.iterdir())))
        for number, device in enumerate(ids):
            (bus / str(number)).mkdir(parents=True)
            (bus / str(number) / "device").write_text(f"0x{device:04x}\n")
        return subprocess.run(["/bin/sh", "-c", command.replace("/sys/bus/pci/devices", str(bus))], check=False).returncode

    wanting = [number for number, (_name, model) in devices.DEVICES.items() if model in tables.NVLSM_MODELS]
    assert {0x2901, 0x3182} <= set(wanting), "B200 and B300 have no NVSwitch on the PCI bus"
    others = sorted(set(devices.DEVICES) - set(wanting))
    assert code() != 0 and code(*others, 0x1AF2) != 0
    for device in [*devices.NVSWITCHES, *wanting]:
        assert code(0x2330, 0x2330, device) == 0, hex(device)


def test_proof_of_an_image_holds_until_gpus_can_be_used(runtime):
    image = "_container_runtime_image_record"
    bare = {**GPU, **NO_GPU, "target": None}
    usable = {**WORKING, "smi": {"gpus": [{}]}}
    assert runtime("_container_runtime_unproven", bare) is True
    assert runtime("_container_runtime_unproven", bare, image) is False
    assert runtime("_container_runtime_unproven", bare, image, daemon_changed=True) is True
    assert runtime("_container_runtime_unproven", usable, image) is True, "only the host can prove its GPUs"
    assert runtime("_container_runtime_unproven", usable, image, "_container_runtime_record") is False


def test_a_proof_is_given_anew_when_it_was_of_something_else(runtime):
    record = "_container_runtime_record"
    usable = {**WORKING, "smi": {"gpus": [{}]}}
    newer = {**usable, "driver": {**WORKING["driver"], "loaded": {"is_loaded": True, "version": "595.45.04"}}}
    waiting = {**WORKING, "driver_state": "reboot_pending"}
    assert runtime("_container_runtime_subject", usable) == PROVEN
    assert runtime("_container_runtime_unproven", usable, record) is False
    assert runtime("_container_runtime_unproven", usable, record, subject=None) is True, "given before the driver was loaded"
    assert runtime("_container_runtime_unproven", usable, record, toolkit="1.19.0-1") is True
    assert runtime("_container_runtime_unproven", newer, record) is True
    for facts in (waiting, {**GPU, **NO_GPU, "target": None}):
        assert runtime("_container_runtime_subject", facts) == ""
        assert runtime("_container_runtime_unproven", facts, record, subject=None) is False, "no GPU can be proven now"


@pytest.mark.parametrize("named", ["b1", "b0, b1", ["b1"], ["b0", "b1"]])
def test_a_machine_that_is_named_is_sealed(value_of, named):
    assert value_of("seal", "_seal_refusals", inventory_hostname="b1", seal_confirm=named) == []


@pytest.mark.parametrize("given", [[], "", None, False])
def test_a_machine_is_not_sealed_without_its_name(value_of, given):
    told = value_of("seal", "_seal_refusals", inventory_hostname="b1", seal_confirm=given)
    assert len(told) == 1 and "seal_confirm is not given: sealing takes b1 its ssh host keys" in told[0]
    assert "-e seal_confirm=b1, with --limit" in told[0]


@pytest.mark.parametrize(
    ("given", "shown"), [("b0", "b0"), (["b0", "b11"], "b0, b11"), (True, "True"), ("true", "true"), ("b", "b"), (1, "1")]
)
def test_a_machine_is_not_sealed_by_the_name_of_another(value_of, given, shown):
    """true was enough once, for each host of a forgotten --limit."""
    told = value_of("seal", "_seal_refusals", inventory_hostname="b1", seal_confirm=given)
    assert len(told) == 1 and f"seal_confirm is {shown}, and b1 is not among them" in told[0] and "--limit" in told[0]


@pytest.mark.parametrize(
    ("users", "told"),
    [
        ([], ""),
        ([{"pid": 4711, "program": "python3"}], "b1: 1 process uses its GPUs (python3 pid 4711). A machine in use is not sealed"),
        (None, "b1: it cannot be told whether processes use its GPUs"),
    ],
)
def test_a_machine_in_use_is_not_sealed(value_of, users, told):
    seen = {"ansible_facts": {"mlinfra_gpu": {**BUILDER, "users": users}}}
    said = value_of("seal", "_seal_busy", inventory_hostname="b1", __seal_gpu=seen)
    assert said.startswith(told) and bool(said) == bool(told)
