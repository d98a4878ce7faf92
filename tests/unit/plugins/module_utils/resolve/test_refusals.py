# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, and that each refusal names the thing, the value and the next step."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import resolve as module
from scripts import tree
from tests.unit.plugins.module_utils.resolve.shapes import KERNELS, PLATFORMS, SHAPES, TODAY, debian, gpu, nvidia

V100 = {"models": ["v100"], "architectures": ["volta"]}


def problems(host, wish, offered=None, platform="Debian-12", today=TODAY):
    here = platform if isinstance(platform, dict) else PLATFORMS[platform]
    found = module.resolve(host, here, wish, nvidia() if offered is None else offered, today)
    assert found["pins"] is None and found["packages"] == {}
    return found["problems"]


@pytest.mark.parametrize(
    ("host", "wish", "told"),
    [
        ({}, {"flavor": "proprietary"}, "B200 (Blackwell) needs open kernel modules, flavor is proprietary: use flavor open or auto."),
        (V100, {"flavor": "open"}, "V100 (Volta) has no open kernel modules (they begin with Turing), flavor is open: use flavor"),
        ({"models": ["v100", "b200"]}, {}, "V100 (Volta) works with the proprietary kernel modules only, and B200 (Blackwell) with"),
        (V100, {"branch": 595}, "branch is 595: 580 is the last branch that knows V100 (Volta). Use branch 580 or lower."),
        (V100, {"version": "620.10.01"}, "version is 620.10.01: branch 615 is the last with proprietary kernel modules."),
        ({}, {"branch": 550}, "branch is 550: 570 is the first branch that knows B200 (Blackwell). Use branch 570 or higher."),
        ({"models": ["b300"]}, {"branch": 570}, "branch is 570: 575 is the first branch that knows B300 (Blackwell)."),
        (SHAPES["t4"], {"branch": 510, "flavor": "open"}, "branch is 510: branch 515 is the first with open kernel modules."),
        (SHAPES["t4"], {"branch": 620, "flavor": "proprietary"}, "branch is 620: branch 615 is the last with proprietary kernel modules."),
        ({"models": ["b300"]}, {"cuda": "12.8"}, "cuda is 12.8: B300 (Blackwell) needs CUDA 12.9. Use cuda 12.9 or higher."),
        (V100, {"cuda": "13.0"}, "cuda is 13.0: V100 (Volta) works up to CUDA 12. Use cuda 12.x."),
        ({}, {"cuda": "12.7"}, "cuda is 12.7: no release that is known here (11.8, 12.0, "),
        (SHAPES["t4"], {"branch": 550, "cuda": "12.8"}, "branch is 550: CUDA 12.8 brings driver 570.26, and mode is strict. Use branch "
         "570 or higher, or mode compatible, or an older cuda."),
        (SHAPES["t4"], {"branch": 550, "cuda": "13.0", "mode": "compatible"}, "branch is 550: CUDA 13 runs from branch 580 on."),
        (SHAPES["t4"], {"mig": True}, "mig is true: T4 (Turing) has no MIG (these have: a100, "),
        (SHAPES["h100"], {"mig": True, "version": "525.60.13"}, "mig is true: H100 (Hopper) needs driver 525.85.12 for it"),
        ({}, {"framework": "torch==2.5"}, "framework is torch==2.5: none of its builds serves this host (CUDA 12.4: B200 (Blackwell)"),
        ({}, {"framework": "torch==9.9"}, "framework is torch==9.9: the CUDA of its builds is not known here (known: torch 2.1 … 2.14)."),
        ({}, {"framework": "torch"}, "framework is torch: expected jax, tensorflow, torch with a release, as torch==2.9."),
        ({}, {"framework": "torch==2.9", "cuda": "12.9"}, "cuda is 12.9: torch==2.9 has no build for it (builds: 13.0, 12.8, 12.6)."),
        ({}, {"version": "580"}, "version is '580': expected a driver's number, as 580.95.05."),
        ({}, {"version": "580.95.05", "branch": 570}, "version is 580.95.05: it is not of branch 570."),
        ({}, {"branch": 12}, "branch is 12: expected the number before the first point"),
        ({}, {"policy": "stable"}, "policy is 'stable': expected production or lts or newest."),
        ({}, {"components": ["cudnn"]}, "components has 'cudnn': expected container_toolkit, cuda_toolkit, dcgm."),
        ({}, {"kernels": "running"}, "kernels is 'running': expected a list of names."),
        ({}, {"mig": "yes"}, "mig is 'yes': expected true or false."),
        ({}, {"cudda": "12.8"}, "wish.cudda is no wish: expected one of branch, "),
        ({}, ["cuda"], "wish is ['cuda']: expected a dict"),
        ({"kernel": {"running": "6.1.0-99-amd64"}}, {}, "kernel 6.1.0-99-amd64 has no headers (installed: none; no source offers them): "),
        ({"kernel": {}}, {}, "kernels is running: that names no kernel of this host."),
        ({}, {"kernels": ["6.1.0-56-amd64", "6.1.0-77-amd64"]}, "kernel 6.1.0-77-amd64 has no headers"),
        ({"models": "b200"}, {}, "gpu.models is 'b200': expected a list of words."),
        ({"nvswitch_count": "many"}, {}, "gpu.nvswitch_count is 'many': expected a number."),
        ({"kernel": "6.1"}, {}, "gpu.kernel is '6.1': expected a dict as in the facts."),
        ({"models": [], "architectures": [], "present": False}, {}, "This host has no NVIDIA GPU: there is nothing to resolve."),
        ({}, {"container_toolkit": "1.2.3"}, "container_toolkit is 1.2.3: the sources have no such version of all four packages (of the "
         "first: 1.20.1, 1.19.0, 1.18.1)."),
    ],
)  # fmt: skip
def test_conflicts(host, wish, told):
    found = problems(gpu("b200", **host), wish)
    assert found and found[0].startswith(told), found


def test_distribution_on_nvswitch_hosts():
    wish = {"source": "distribution"}
    (told,) = problems(gpu("h100"), wish, debian("Debian-12", "535.309.01"))
    assert told.startswith("source is distribution: this host has NVSwitches, and Debian-12 has no fabric manager")
    assert told.endswith("Use source nvidia.")
    (told,) = problems(gpu("b200"), wish, debian("Debian-13", "550.163.01"), "Debian-13")
    assert "needs NVLink's subnet manager (nvlsm), which Debian-13 does not have. Use source nvidia." in told
    offered = {name: ["580.95.05-0ubuntu1"] for name in ("nvidia-utils-580-server", "libnvidia-compute-580-server")}
    offered.update({"nvidia-dkms-580-server-open": ["580.95.05-0ubuntu1"], "nvidia-fabricmanager-580": ["580.82.07-0ubuntu1"]})
    offered[f"linux-headers-{KERNELS['Ubuntu-24']}"] = ["1"]
    (told,) = problems(gpu("h100", "Ubuntu-24"), wish, offered, "Ubuntu-24")
    assert "nvidia-fabricmanager-580 is not offered in this version (offered: 580.82.07)" in told
    offered["nvidia-fabricmanager-580"].append("580.95.05-0ubuntu2")
    found = module.resolve(gpu("h100", "Ubuntu-24"), PLATFORMS["Ubuntu-24"], wish, offered, TODAY)
    assert found["pins"]["fabric_manager"] == "580.95.05-0ubuntu2"


def test_distribution_too_old_for_the_gpu():
    """As models: a Blackwell card without NVSwitches, which Debian 12's 535 cannot drive."""
    host = gpu("b200", models=["rtx-pro-server-6000"])
    (told,) = problems(host, {"source": "distribution"}, debian("Debian-12", "535.309.01"))
    assert "570 is the first branch that knows RTX-PRO-SERVER-6000 (Blackwell)" in told and "535.309.01 open" in told


def test_subnet_manager_that_is_not_offered():
    offered = {name: there for name, there in nvidia().items() if name != "nvlsm"}
    assert problems(gpu("b200"), {}, offered)[0].startswith("This host needs NVLink's subnet manager: no source offers nvlsm.")


@pytest.mark.parametrize(
    ("source", "told"),
    [("nvidia", "Add NVIDIA's repository"), ("mirror", "Add the mirror"), ("distribution", "Debian has them in contrib, non-free")],
)
def test_sources_without_any_driver(source, told):
    offered = {f"linux-headers-{KERNELS['Debian-12']}": ["1"]}
    (found,) = problems(gpu("t4"), {"source": source}, offered)
    assert found.startswith("No package source of this host offers a driver under the names of source") and told in found


@pytest.mark.parametrize(
    ("platform", "machine", "told"),
    [
        ("Debian-12", "x86_64", "install https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/cuda-keyring_1.1-1_all.deb"),
        ("Ubuntu-24", "aarch64", "/ubuntu2404/sbsa/cuda-keyring_1.1-1_all.deb"),
        ("Amazon-2023", "x86_64", "dnf config-manager --add-repo https://developer.download.nvidia.com/compute/cuda/repos/amzn2023/x86_64/cuda-"),
    ],
)  # fmt: skip
def test_sources_without_any_driver_are_told_how_to_add_one(platform, machine, told):
    here = {"platform_names": [platform], "architecture": machine}
    (found,) = [one for one in problems(gpu("t4"), {}, {"hello": ["1"]}, here) if "No package source" in one]
    assert told in found and "role nvidia_driver adds it together with a driver" in found


def test_folders_are_those_of_the_role():
    rows = yaml.safe_load((tree.CHECKOUT / "roles" / "nvidia_driver" / "vars" / "main" / "platforms.yml").read_text())
    assert {name: row["repository"] for name, row in rows["_nvidia_driver_platforms"].items()} == names.FOLDERS
    assert rows["_nvidia_driver_repository_architectures"] == names.MACHINES


def test_nothing_fits_is_told_in_a_few_lines():
    offered = nvidia(drivers=[f"610.{one}.01" for one in range(10, 60)])
    (told,) = problems(gpu("t4"), {}, offered)
    assert "610.59.01 open, 610.59.01 proprietary, 610.58.01 open and 97 more: branch 610 is a new feature branch, and policy is" in told
    assert len(told) < 600 and told.endswith("Add a source that has one, or loosen what these name.")


def test_unknown_platforms():
    host = gpu("t4")
    (told,) = problems(host, {}, platform={"distribution": "Fedora", "distribution_major_version": "43"})
    assert told.startswith("This host runs Fedora-43: expected one of Debian-12, ")
    (told,) = problems(host, {"source": "distribution"}, platform={"platform_names": ["Amazon-2023", "RedHat-family-2023"]})
    assert told == "source is distribution: Amazon-2023 has no packages of NVIDIA's driver. Use source nvidia."


def test_named_components_are_refused_when_they_are_not_offered():
    offered = {name: there for name, there in nvidia().items() if not name.startswith(("datacenter", "nvidia-container", "cuda"))}
    found = problems(gpu("t4"), {"cuda": "12.8", "components": ["container_toolkit", "cuda_toolkit", "dcgm"]}, offered)
    assert [one.split(":")[0] for one in found] == [f"components has {one}" for one in ("container_toolkit", "dcgm", "cuda_toolkit")]


@pytest.mark.parametrize(
    ("offered", "today", "told"),
    [
        (["libcuda1"], TODAY, "offered is ['libcuda1']: expected {package: [versions]}"),
        ({"libcuda1": "580.95.05-1"}, TODAY, "offered.libcuda1 is '580.95.05-1': expected a list of versions."),
        ({}, "27.11.2026", "today is '27.11.2026': expected a day, as 2026-11-27."),
        ({}, None, "today is None: expected a day"),
    ],
)
def test_input_that_is_none(offered, today, told):
    assert problems(gpu("t4"), {}, offered, today=today)[0].startswith(told)


def test_all_conflicts_are_told_at_once():
    found = problems(gpu("t4", models=["v100"], architectures=["volta"]), {"flavor": "open", "cuda": "13.0", "mig": True})
    assert len(found) == 3
