# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a plan changes where the running kernel's headers are gone; a Program stands where the package manager is."""

from __future__ import annotations

import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import kernel_upgrade, pinned, plan, prepare
from tests.unit.plugins.module_utils.driver.test_plan import INSTALLED, seen, wish

RUNNING, NEWER = "6.1.0-56-amd64", "6.1.0-98-amd64"
PACKAGES = [f"linux-image-{NEWER}", f"linux-headers-{NEWER}"]
AMAZON, AMAZON_NEWER = "6.12.20-23.97.amzn2023.x86_64", "6.12.40-64.114.amzn2023.x86_64"


class Program:
    """A package manager whose sources offer this. offered: {name: [versions]}."""

    def __init__(self, offered):
        self.offered = offered

    def names(self, beginning, options=()):
        return [name for name in self.offered if name.startswith(beginning)]

    def versions(self, names, options=()):
        return {name: self.offered[name] for name in names if name in self.offered}

    def candidates(self, names, options=()):
        return {name: (self.offered.get(name) or [None])[-1] for name in names}


def job(offered, platform="Debian-12", policy="if_required", host=None, **wishes):
    """A change of a host before its sources were asked. offered: names, or {name: [versions]}."""
    full, there = wish(kernel_upgrade=policy, **wishes), seen(**(host or {}))
    program = Program(offered if isinstance(offered, dict) else dict.fromkeys(offered, ["1"]))
    return types.SimpleNamespace(wish=full, seen=there, decided=plan.decide(full, there), program=program, host={"platform": platform})


def applied(*arguments, **more):
    one = job(*arguments, **more)
    kernel_upgrade.apply(one, [])
    return one


def test_newer_kernel_comes_before_the_driver_and_alone_is_built_for():
    decided = applied(PACKAGES).decided
    assert decided["kernels"] == [NEWER] and decided["replaced"] == [RUNNING]
    assert decided["kernel_packages"] == PACKAGES and decided["headers"] == PACKAGES[1:]
    assert prepare.headers_problems(applied(PACKAGES), []) == []


@pytest.mark.parametrize(
    "more",
    [{"policy": "never"}, {"platform": None}, {"kernels": ["6.1.0-77-amd64"]}, {"host": {"header_kernels": [RUNNING]}}],
)
def test_nothing_is_put_in_place_of(more):
    one = job(PACKAGES, **more)
    before = dict(one.decided)
    kernel_upgrade.apply(one, [])
    assert one.decided == before and before["replaced"] == []


def test_headers_of_the_running_kernel_come_first():
    assert applied([*PACKAGES, f"linux-headers-{RUNNING}"]).decided["kernel_packages"] == [f"linux-headers-{RUNNING}"]


def test_before_the_restart_nothing_is_due_any_more_not_even_a_newer_one():
    """The run after: the kernel is there with its headers and modules, and the old one runs still."""
    host = {"installed_kernels": [RUNNING, NEWER], "header_kernels": [NEWER], "packages": INSTALLED, "begun": False}
    one = applied([*PACKAGES, "linux-image-6.1.0-99-amd64", "linux-headers-6.1.0-99-amd64"], host=host, hold=False)
    assert one.decided["kernels"] == [NEWER] and one.decided["kernel_packages"] == [] and one.decided["replaced"] == [RUNNING]
    one.decided["files_due"] = []
    assert not plan.changes(one.wish, one.seen, one.decided, {NEWER: ["nvidia.ko"]})
    assert plan.changes(one.wish, one.seen, one.decided, {})


def test_pins_name_their_kernels():
    pins = {"packages": {}, "kernels": [], "platform": "Debian-12"}
    assert applied(PACKAGES, pins=pins, kernels=["running"]).decided["replaced"] == []


def test_refusal_names_the_kind_and_the_next_step():
    one = applied([PACKAGES[0]])
    (told,) = prepare.headers_problems(one, [])
    assert "and no source offers a kernel of flavor amd64 that is newer than those installed with its headers in its place." in told
    (told,) = prepare.headers_problems(applied(PACKAGES, policy="never"), [])
    assert "Set nvidia_driver_kernel_upgrade to if_required on a host with a kernel of its own, for a newer one" in told


def test_refusal_of_a_kernel_that_pins_go_with():
    pins = {"platform": "Debian-12", "packages": {}, "kernels": [{"release": "6.1.0-40-amd64", "headers": None, "image": None}]}
    one = job([], pins=pins, kernels=["6.1.0-40-amd64"], host={"header_kernels": ["6.1.0-40-amd64"]})
    (told,) = prepare.headers_problems(one, [])
    assert told.startswith(f"linux-headers-{RUNNING} has no candidate") and "or resolve again for this host with kernel_upgrade" in told


def test_amazons_kernel_stays_in_its_package():
    versions = ["6.12.20-23.97.amzn2023", "6.12.40-64.114.amzn2023"]
    offered = {
        "kernel6.12": versions,
        "kernel6.12-devel": versions[1:],
        **dict.fromkeys(["kernel", "kernel-devel"], ["6.1.150-1.amzn2023"]),
    }
    host = {"running": AMAZON, "installed_kernels": [AMAZON]}
    decided = applied(offered, "Amazon-2023", host=host, headers="kernel-devel-KERNEL").decided
    assert decided["kernel_packages"] == [f"kernel6.12-{AMAZON_NEWER}", f"kernel-devel-{AMAZON_NEWER}"]
    assert decided["headers"] == [f"kernel-devel-{AMAZON_NEWER}"] and pinned.is_image(decided["kernel_packages"][0])
    assert not pinned.is_image("kernel6.12-devel-6.12.40") and not pinned.is_image(decided["headers"][0])


def test_pinned_kernel_of_amazon_is_installed_under_its_own_name():
    pins = {"platform": "Amazon-2023", "packages": {"kernel6.12-devel": "6.12.40-64.114.amzn2023"},
            "kernels": [{"release": AMAZON_NEWER, "headers": "kernel6.12-devel", "image": None}]}  # fmt: skip
    full = wish(pins=pins, headers="kernel-devel-KERNEL")
    found = pinned.kernel_packages(full, seen(running=AMAZON, installed_kernels=[AMAZON]), [AMAZON_NEWER])
    assert found == [f"kernel6.12-{AMAZON_NEWER}", f"kernel-devel-{AMAZON_NEWER}"]
