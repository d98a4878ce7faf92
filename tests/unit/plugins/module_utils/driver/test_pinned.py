# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pins mean for one host."""

from __future__ import annotations

import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import pinned, plan, prepare
from tests.unit.plugins.module_utils.driver.test_plan import INSTALLED, package, seen, wish
from tests.unit.plugins.module_utils.resolve.shapes import KERNELS, PLATFORMS, TODAY, gpu, nvidia
from tests.unit.plugins.module_utils.resolve.test_pins import made

KERNEL = KERNELS["Debian-12"]


def pins(**other):
    return {
        "source": "mirror", "platform": "Debian-12", "driver": {"version": "580.95.05", "flavor": "open"},
        "kernels": [{"release": "6.1.0-98-amd64", "headers": "linux-headers-6.1.0-98-amd64", "image": "linux-image-6.1.0-98-amd64"}],
        "packages": {
            "nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1", "linux-headers-6.1.0-98-amd64": "6.1.198-1",
            "linux-image-6.1.0-98-amd64": "6.1.198-1", "nvidia-container-toolkit": "1.18.1-1",
        }, **other,
    }  # fmt: skip


def pinned_wish(**other):
    return wish(**{"pins": pins(), **pinned.wish_of(pins()), **other})


def test_wish():
    assert pinned.wish_of(pins()) == {
        "version": "580.95.05", "branch": 580, "flavor": "open", "kernel_modules": True, "source": "nvidia", "kernels": ["6.1.0-98-amd64"],
    }  # fmt: skip
    without = pinned.wish_of(pins(driver={"version": "535.1.1", "flavor": None}, source="distribution", kernels=[]))
    assert (without["kernel_modules"], without["source"], without["branch"]) == (False, "distribution", 535)


def test_pinned_kernel_comes_with_its_headers():
    found = plan.decide(pinned_wish(), seen())
    assert found["problems"] == [] and found["kernels"] == ["6.1.0-98-amd64"]
    assert found["kernel_packages"] == ["linux-image-6.1.0-98-amd64=6.1.198-1", "linux-headers-6.1.0-98-amd64=6.1.198-1"]
    assert found["headers"] == ["linux-headers-6.1.0-98-amd64"]
    here = {"installed_kernels": ["6.1.0-98-amd64"], "header_kernels": ["6.1.0-98-amd64"]}
    assert plan.decide(pinned_wish(), seen(**here))["kernel_packages"] == []


def test_newer_kernel_of_the_host_is_built_for_too():
    newer = {"running": "6.1.0-99-amd64", "installed_kernels": ["6.1.0-98-amd64", "6.1.0-99-amd64"], "header_kernels": ["6.1.0-98-amd64"]}
    found = plan.decide(pinned_wish(), seen(**newer))
    assert found["kernels"] == ["6.1.0-98-amd64", "6.1.0-99-amd64"]
    assert found["kernel_packages"] == found["headers"] == ["linux-headers-6.1.0-99-amd64"]
    assert plan.decide(pinned_wish(), seen(**newer, container=True))["kernels"] == ["6.1.0-98-amd64"]
    assert plan.decide(pinned_wish(kernel_modules=False), seen(**newer))["kernels"] == []


def test_sources_are_asked_for_headers_of_the_newer_kernel(monkeypatch):
    asked = []
    newer = {"running": "6.1.0-99-amd64", "installed_kernels": ["6.1.0-99-amd64"]}
    job = types.SimpleNamespace(wish=pinned_wish(), seen=seen(**newer))
    job.program = types.SimpleNamespace(versions=lambda names, options: asked.extend(names) or {})
    judged = []
    monkeypatch.setattr(prepare, "judge_pins", lambda job, offered: judged.append(offered))
    prepare.choose_pinned(job, [])
    assert "linux-headers-6.1.0-99-amd64" in asked and judged == [{}]
    # Without lists nobody knows yet; the run that reads them judges it.
    job.seen["lists"] = False
    prepare.choose_pinned(job, [])
    assert judged[1]["linux-headers-6.1.0-99-amd64"] == ["any"]


@pytest.mark.parametrize(("version", "settled"), [("580.95.05-1", True), ("580.95.05-2", False), ("580.126.09-1", False)])
def test_only_the_exact_package_is_settled(version, settled):
    packages = dict.fromkeys(INSTALLED, package(version))
    assert plan.decide(pinned_wish(), seen(packages=packages))["settled"] is settled


def test_companion_is_of_its_own_version():
    packages = dict(INSTALLED, nvlsm=package("2025.10.11-1"))
    assert not plan.decide(wish(companions=["nvlsm"]), seen(packages=INSTALLED))["settled"]
    assert plan.decide(wish(companions=["nvlsm"]), seen(packages=packages))["settled"]
    assert "nvlsm" in plan.holds_due(wish(companions=["nvlsm"]), packages, "580.95.05")
    other = pins(packages=dict(pins()["packages"], nvlsm="2025.10.12-1"))
    assert not plan.decide(pinned_wish(companions=["nvlsm"], pins=other), seen(packages=packages))["settled"]


def test_what_is_installed_needs_no_source():
    assert pinned.offered_with({"a": ["1"]}, {"a": package("2"), "b": package("3"), "c": {**package(None), "status": "config-files"}}) == {
        "a": ["1", "2"], "b": ["3"],
    }  # fmt: skip


def judged(found, offered, shape="h100", **wishes):
    full = wish(**{"pins": found, **pinned.wish_of(found), "packages": ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"], **wishes})
    return pinned.problems(full, gpu(shape), PLATFORMS["Debian-12"], offered, TODAY)


def test_packages_of_other_roles_are_not_judged():
    offered = {name: there for name, there in nvidia().items() if "container" not in name and "cuda-toolkit" not in name}
    assert judged(made(), offered) == ([], [])


def test_refusals_name_the_variable():
    offered = {name: [one for one in there if not one.startswith("595.")] for name, there in nvidia().items()}
    told, unused = judged(made(), offered)
    assert all(one.startswith("nvidia_driver_pins.packages.nvidia-") for one in told) and "resolve again" in told[0]
    (told,), unused = judged(made(), nvidia(), packages=["nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-imex"])
    assert told.startswith("nvidia_driver_pins.packages has no nvidia-imex, which this host needs.")


def test_removal_of_what_is_no_driver_is_refused():
    actions = [{"action": "remove", "name": name, "old": "1", "new": None} for name in ("my-job", "nvidia-smi", "gone")]
    packages = {"my-job": package("1"), "nvidia-smi": package("1")}
    (told,) = plan.foreign_removals(packages, actions)
    assert told.startswith("my-job would be removed with this change")
    assert plan.foreign_removals(packages, actions[1:]) == []
