# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is resolved for the hosts that there are."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import resolve as module
from tests.unit.plugins.module_utils.resolve import shapes
from tests.unit.plugins.module_utils.resolve.shapes import KERNELS, PLATFORMS, TODAY, debian, gpu, nvidia


def resolve(shape, wish=None, offered=None, platform="Debian-12", today=TODAY, **other):
    there = nvidia(platform) if offered is None else offered
    return module.resolve(gpu(shape, platform, **other), PLATFORMS[platform], wish or {}, there, today)


def reason(found, driver, flavor="open"):
    (told,) = {one["reason"] for one in found["rejected"] if (one["driver"], one["flavor"]) == (driver, flavor)}
    return told


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_each_shape_on_each_platform(shape, platform):
    found = resolve(shape, {"cuda": "12.8"}, platform=platform)
    assert found["problems"] == [] and found["warnings"] == []
    pins, packages, kernel = found["pins"], found["packages"], KERNELS[platform]
    # 595 is the newest production branch that is supported on that day; 610 is for new features.
    assert pins["driver"] == {"version": "595.112.07", "branch": 595, "flavor": "open", "dkms": "nvidia"}
    assert packages["nvidia-driver-cuda"] == packages["nvidia-kernel-open-dkms"] == "595.112.07-1"
    with_fabric = shape in ("a100", "h100", "b200")
    assert pins["fabric_manager"] == packages.get("nvidia-fabricmanager") == ("595.112.07-1" if with_fabric else None)
    assert pins["nvlsm"] == packages.get("nvlsm") == ("2025.10.14-1" if shape == "b200" else None)
    assert {packages[name] for name in shapes.TOOLKIT} == {pins["container_toolkit"]} == {"1.20.1-1"}
    assert pins["cuda"] == {"release": "12.8.1", "toolkit": "cuda-toolkit-12-8"} and packages["cuda-toolkit-12-8"] == "12.8.1-1"
    assert pins["dcgm"] == packages["datacenter-gpu-manager-4-cuda13"] == "1:4.5.0-1"
    assert pins["kernels"] == [{"release": kernel, "headers": f"linux-headers-{kernel}", "image": f"linux-image-{kernel}"}]
    assert packages[f"linux-headers-{kernel}"] == "1.0-1" and pins["packages"] == packages


def test_ubuntu_names_carry_the_branch_below_590():
    found = resolve("h100", {"branch": 570}, platform="Ubuntu-24")
    names = {"nvidia-utils-570", "libnvidia-compute-570", "nvidia-dkms-570-open", "nvidia-compute-utils-570", "nvidia-fabricmanager-570"}
    assert {found["packages"][name] for name in names} == {"570.195.03-1"}


@pytest.mark.parametrize(
    ("wish", "driver"),
    [
        ({"policy": "production"}, "595.112.07"),
        ({"policy": "lts"}, "580.178.04"),
        ({"policy": "newest"}, "610.57.04"),
        ({"branch": 570}, "570.195.03"),
        ({"version": "580.95.05"}, "580.95.05"),
        ({"cuda": "13.0", "components": []}, "595.112.07"),
        ({"framework": "torch==2.9.1"}, "595.112.07"),
        ({"framework": "jax==0.8"}, "595.112.07"),
    ],
)
def test_wishes(wish, driver):
    found = resolve("a10g", wish)
    assert found["problems"] == [] and found["pins"]["driver"]["version"] == driver


def test_a_branch_past_its_end_gives_way_and_is_warned_of():
    after = resolve("t4", today="2027-04-01")
    assert after["pins"]["driver"]["version"] == "580.178.04"
    assert reason(after, "595.112.07") == "branch 595 is past its end of life, and that of 580.178.04 is not"
    assert resolve("t4", today="2027-03-31")["pins"]["driver"]["branch"] == 595
    alone = resolve("t4", offered=nvidia(drivers=["535.309.01", "550.163.01"]))
    assert alone["pins"]["driver"]["branch"] == 550 and "Driver branch 550 is past its end of life: " in alone["warnings"][0]


def test_newest_driver_without_its_fabric_manager_is_passed_over():
    offered = nvidia(fabric=["580.178.04", "595.71.05"])
    found = resolve("h100", offered=offered)
    assert found["pins"]["driver"]["version"] == "595.71.05"
    assert reason(found, "595.112.07") == "nvidia-fabricmanager is not offered in this version (offered: 595.71.05, 580.178.04)"
    assert resolve("t4", offered=offered)["pins"]["driver"]["version"] == "595.112.07"


def test_old_gpu_gets_its_last_branch_and_proprietary_modules():
    found = resolve("t4", models=["v100"], architectures=["volta"])
    assert found["pins"]["driver"] == {"version": "580.178.04", "branch": 580, "flavor": "proprietary", "dkms": "nvidia"}
    assert reason(found, "595.112.07", "proprietary") == "580 is the last branch that knows V100 (Volta)"
    assert found["pins"]["dcgm"] and "datacenter-gpu-manager-4-cuda12" in found["packages"]


def test_modes():
    """550.163.01 runs CUDA 12.8 as any of branch 525 or later does, and is older than the driver that CUDA 12.8 brings."""
    offered = nvidia(drivers=["550.163.01"])
    assert resolve("a10g", {"cuda": "12.8", "mode": "compatible"}, offered)["pins"]["driver"]["version"] == "550.163.01"
    found = resolve("a10g", {"cuda": "12.8"}, offered)
    assert "CUDA 12.8.1 brings driver 570.124.06, and mode is strict" in found["problems"][0]
    assert resolve("a10g", {"cuda": "13.0", "mode": "compatible"}, offered)["pins"] is None


def test_older_toolkit_that_the_driver_runs_comes_before_none():
    offered = {**nvidia(drivers=["570.100.01"]), "cuda-toolkit-12-8": ["12.8.0-1", "12.8.1-1"]}
    found = resolve("a10g", {"cuda": "12.8"}, offered)
    assert found["pins"]["cuda"]["release"] == "12.8" and found["packages"]["cuda-toolkit-12-8"] == "12.8.0-1"


def test_framework_takes_the_build_that_a_driver_is_there_for():
    found = resolve("h100", {"framework": "torch==2.9"}, nvidia(drivers=["570.195.03"]))
    assert found["pins"]["cuda"] == {"release": "12.8", "toolkit": None}
    assert {one["cuda"] for one in found["rejected"]} >= {"13.0"}
    old = resolve("t4", {"framework": "torch==2.9"}, models=["v100"], architectures=["volta"])
    assert old["pins"]["cuda"]["release"] == "12.6"
    assert {one["cuda"] for one in old["rejected"] if one["driver"] is None} == {"13.0", "12.8"}


def test_framework_older_than_the_gpu_is_told():
    found = resolve("b200", {"framework": "tensorflow==2.18"})
    assert found["warnings"] == [
        "The CUDA 12.5 of tensorflow==2.18 is older than B200 (Blackwell): kernels are compiled when they are first used."
    ]


def test_distribution():
    found = resolve("t4", {"source": "distribution", "components": []}, debian("Debian-12", "535.309.01", "535.261.03"))
    assert found["pins"]["driver"] == {"version": "535.309.01", "branch": 535, "flavor": "proprietary", "dkms": "nvidia-current"}
    assert reason(found, "535.309.01") == "nvidia-open-kernel-dkms is not offered in this version (offered: 535.261.03)"
    assert "past its end of life since the end of 2026-06" in found["warnings"][0]


def test_a_driver_works_without_the_persistence_daemon():
    offered = shapes.nvidia("Ubuntu-24")
    offered["nvidia-compute-utils-580"].remove("580.178.04-1")
    found = resolve("h100", {"branch": 580}, offered, "Ubuntu-24")
    assert found["pins"]["driver"]["version"] == "580.178.04" and "nvidia-compute-utils-580" not in found["packages"]
    assert "GPUs will not be kept initialised: no source of this host offers nvidia-compute-utils-580 580.178.04." in found["warnings"]
    without = resolve("h100", {"branch": 580, "kernel_modules": False}, offered, "Ubuntu-24")
    assert not [one for one in without["warnings"] if "initialised" in one]


def test_known_bad_build_is_passed_over():
    kernel = {"running": "6.12.117+deb13-amd64", "headers_for": ["6.12.117+deb13-amd64"]}
    offered = debian("Debian-13", "550.163.01")
    wish = {"source": "distribution", "components": []}
    found = resolve("t4", wish, offered, "Debian-13", kernel=kernel)
    assert found["pins"]["driver"]["flavor"] == "proprietary"
    assert reason(found, "550.163.01").startswith("it does not build for kernel 6.12.117+deb13-amd64: ")
    assert resolve("t4", wish, offered, "Debian-13")["pins"]["driver"]["flavor"] == "open"


def test_user_space_alone_needs_no_kernel_and_no_fabric_manager():
    offered = {"nvidia-driver-cuda": ["580.95.05-1"]}
    found = resolve("h100", {"kernel_modules": False, "components": []}, offered, kernel={})
    assert found["packages"] == {"nvidia-driver-cuda": "580.95.05-1"} and found["pins"]["driver"]["flavor"] is None


def test_kernels():
    newest = "6.1.0-57-amd64"
    kernel = {"running": KERNELS["Debian-12"], "installed": [KERNELS["Debian-12"], newest], "headers_for": [newest]}
    found = resolve("t4", {"kernels": ["running", "newest-installed"]}, kernel=kernel)
    assert [one["release"] for one in found["pins"]["kernels"]] == [KERNELS["Debian-12"], newest]
    assert found["warnings"] == [f"The headers of kernel {newest} are installed and no longer offered: another host could not have them."]


def test_red_hat_names_are_known():
    release = "5.14.0-503.el9.x86_64"
    offered = {
        "nvidia-driver-cuda": ["3:580.95.05-1.el9"], "kmod-nvidia-open-dkms": ["3:580.95.05-1.el9"],
        "nvidia-fabricmanager": ["580.95.05-1"], "kernel-devel": ["5.14.0-503.el9", "5.14.0-570.el9"],
    }  # fmt: skip
    host = {**shapes.SHAPES["h100"], "kernel": {"running": release}}
    found = module.resolve(host, {"platform_names": ["Rocky-9", "RedHat-family-9"]}, {"components": []}, offered, TODAY)
    assert found["problems"] == [] and found["packages"]["kernel-devel"] == "5.14.0-503.el9"
    assert found["packages"]["kmod-nvidia-open-dkms"] == "3:580.95.05-1.el9" and found["pins"]["fabric_manager"] == "580.95.05-1"


def test_components():
    assert set(resolve("t4", {"components": ["dcgm"]})["packages"]) >= {"datacenter-gpu-manager-4-core"}
    assert not set(shapes.TOOLKIT) & set(resolve("t4", {"components": []})["packages"])
    bare = {name: there for name, there in nvidia().items() if name not in shapes.TOOLKIT and not name.startswith("datacenter")}
    assert [one.split(" is not resolved")[0] for one in resolve("t4", offered=bare)["warnings"]] == ["container_toolkit", "dcgm"]
    assert resolve("t4", {"container_toolkit": "1.18.1"})["pins"]["container_toolkit"] == "1.18.1-1"


def test_podman_before_5_has_the_newest_toolkit_that_it_can_read():
    found = resolve("t4", engines={"podman": "4.3.1"})
    assert {found["packages"][name] for name in shapes.TOOLKIT} == {found["pins"]["container_toolkit"]} == {"1.19.0-1"}
    (told,) = found["warnings"]
    assert told.startswith("container_toolkit is 1.19.0-1, and 1.20.1-1 is offered: podman 4.3.1 cannot read the device descriptions")
    found = resolve("t4", {"container_toolkit": "1.18.1"}, engines={"podman": "4.3.1"})
    assert found["warnings"] == [] and found["pins"]["container_toolkit"] == "1.18.1-1"
    found = resolve("t4", {"container_toolkit": "1.20.1"}, engines={"podman": "4.3.1"})
    assert found["pins"] is None and "Wish 1.18.1, leave it out, or have podman 5." in found["problems"][0]
    for podman in ("5.4.2", None):
        assert resolve("t4", engines={"podman": podman})["pins"]["container_toolkit"] == "1.20.1-1"
    new = {**nvidia(), **{name: ["1.19.1~rc.1-1", "1.19.1-1"] for name in shapes.TOOLKIT}}
    found = resolve("t4", offered=new, engines={"podman": "4.9.3"})
    assert found["pins"]["container_toolkit"] is None
    assert "before 1.19.1, and podman 4.9.3 cannot read" in found["warnings"][0]


def test_what_is_not_known_is_said():
    found = resolve("t4", models=[], architectures=["rubin"])
    assert found["warnings"] == ["a GPU of architecture Rubin is not known here: what drivers it works with was not checked."]
    assert "needs IMEX" in resolve("b200", models=["gb200"])["warnings"][0]
    assert "is not known here how long" in resolve("t4", {"branch": 615}, nvidia(drivers=["615.10.01"]))["warnings"][0]


def test_compute_capability_stands_for_an_architecture():
    found = module.resolve({"compute_capabilities": ["7.0"], "kernel": gpu("t4")["kernel"]}, PLATFORMS["Debian-12"], {}, nvidia(), TODAY)
    assert found["pins"]["driver"]["flavor"] == "proprietary" and found["pins"]["gpu"]["architectures"] == ["volta"]
