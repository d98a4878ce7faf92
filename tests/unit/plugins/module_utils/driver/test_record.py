# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins of a host before and after a change."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import record
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import host as hosts
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins as schema
from tests.unit.plugins.module_utils.driver.test_plan import package
from tests.unit.plugins.module_utils.resolve.shapes import PLATFORMS, TODAY, gpu

KERNEL = "6.1.0-56-amd64"
HEADERS = f"linux-headers-{KERNEL}"


def host(shape="a10g", platform="Debian-12"):
    return hosts.of(gpu(shape), PLATFORMS[platform])


def known(driver, *more, **others):
    names = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "libcuda1", *more)
    return {**{name: package(f"{driver}-1") for name in names}, HEADERS: package("6.1.170-1"), **others}


def snapshot(driver, *more, kernels=(KERNEL,)):
    return record.snapshot(known(driver, *more), host(), list(kernels))


def test_snapshot_is_pins_that_hold_on_its_host():
    found = snapshot("580.95.05")
    assert schema.shape_problems(found) == []
    assert found["packages"] == {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1", HEADERS: "6.1.170-1"}
    assert found["kernels"] == [{"release": KERNEL, "headers": HEADERS, "image": None}]
    offered = {name: [version] for name, version in found["packages"].items()}
    here = gpu("a10g", kernel={"running": KERNEL, "installed": [KERNEL], "headers_for": [KERNEL]})
    assert schema.apply(found, here, PLATFORMS["Debian-12"], offered, TODAY)["problems"] == []


@pytest.mark.parametrize(
    ("packages", "source", "flavor"),
    [
        (("nvidia-smi", "libcuda1", "libnvidia-ml1"), "distribution", None),
        (("nvidia-smi", "libcuda1", "libnvidia-ml1", "nvidia-kernel-dkms"), "distribution", "proprietary"),
        (("nvidia-driver-cuda", "nvidia-kernel-dkms", "nvidia-smi"), "nvidia", "proprietary"),
    ],
)
def test_snapshot_of_each_source(packages, source, flavor):
    found = record.snapshot({name: package("535.309.01-1~deb12u1") for name in packages}, host(), [KERNEL])
    assert (found["source"], found["driver"]["flavor"], found["driver"]["version"]) == (source, flavor, "535.309.01")
    assert found["kernels"] == ([] if flavor is None else [{"release": KERNEL, "headers": None, "image": None}])


def test_snapshot_has_fabric_manager_and_subnet_manager():
    packages = known("580.95.05", "nvidia-fabricmanager", nvlsm=package("2025.10-1"))
    found = record.snapshot(packages, host("b200"), [])
    assert (found["fabric_manager"], found["nvlsm"]) == ("580.95.05-1", "2025.10-1")


def test_no_driver_no_pins():
    assert record.snapshot({}, host(), []) is None
    assert record.snapshot({"libcuda1": package("580.95.05-1")}, host(), []) is None
    assert record.snapshot(known("580.95.05"), dict(host(), platform=None), []) is None


def test_change_keeps_what_was():
    first, second = snapshot("580.95.05"), snapshot("595.58.03")
    recorded = record.after(record.EMPTY, None, first)
    assert recorded == {"schema": 1, "current": first, "previous": None}
    recorded = record.after(recorded, first, second)
    assert recorded == {"schema": 1, "current": second, "previous": first}
    # nothing moved: what was before stays
    assert record.after(recorded, second, second) == recorded
    # and back
    assert record.after(recorded, second, first) == {"schema": 1, "current": first, "previous": second}
    assert record.parse(record.text(recorded)) == recorded


def test_other_wish_for_the_same_driver_is_no_step_back():
    first = snapshot("580.95.05")
    newer = dict(first, packages=dict(first["packages"], **{"nvidia-container-toolkit": "1.18.1-1"}))
    assert record.after({"schema": 1, "current": first, "previous": None}, first, newer)["previous"] is None


def test_other_modules_are_a_step():
    first = snapshot("580.95.05")
    packages = {name: package("580.95.05-1") for name in ("nvidia-driver-cuda", "nvidia-kernel-dkms")}
    other = record.snapshot(packages, host(), [KERNEL])
    assert record.after(record.EMPTY, first, other)["previous"] == first


def test_what_somebody_changed_by_hand_is_read_anew():
    recorded = {"schema": 1, "current": snapshot("580.95.05"), "previous": None}
    assert record.before(recorded, known("580.95.05"), snapshot("580.95.05", kernels=())) == recorded["current"]
    by_hand = snapshot("580.126.09")
    assert record.before(recorded, known("580.126.09"), by_hand) == by_hand


def test_pins_hold_without_the_fabric_manager_that_is_not_for_the_host():
    found = snapshot("580.95.05")
    found["packages"]["nvidia-fabricmanager"] = "580.95.05-1"
    assert record.holds(found, known("580.95.05"))
    assert not record.holds(found, known("580.95.05", **{"nvidia-fabricmanager": package("580.65.06-1")}))


def test_kernels_that_came_since_are_added():
    was, other = snapshot("580.95.05"), "6.1.0-57-amd64"
    grown = record.now(None, was, snapshot("580.95.05", kernels=(KERNEL, other)))
    assert [one["release"] for one in grown["kernels"]] == [KERNEL, other]
    assert record.now(None, was, was) == was and record.now({"a": 1}, was, was) == {"a": 1}


@pytest.mark.parametrize("text", ["", None, "[]", "{", '{"current": {"schema": 9}}', '{"current": 7, "previous": []}'])
def test_file_that_is_no_record(text):
    assert record.parse(text) == record.EMPTY


def test_a_package_that_only_came_along_is_no_step_back():
    """As the persistence daemon's on Ubuntu, which pins of an earlier release do not have."""
    first = snapshot("580.95.05")
    more = dict(first, packages=dict(first["packages"], **{"nvlsm": "2025.06.11-1"}))
    assert record.of_driver(more) != record.of_driver(first)
    assert record.after({"schema": 1, "current": first, "previous": None}, first, more)["previous"] is None
