# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions as dpkg orders them, and drivers inside of them."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions


@pytest.mark.parametrize(
    ("version", "driver"),
    [("580.95.05-1", "580.95.05"), ("535.309.01-0+deb12u1", "535.309.01"), ("1:550.1-2", "550.1"), ("580.95.05", "580.95.05"), (None, "")],
)
def test_driver_inside_a_package_version(version, driver):
    assert versions.upstream(version) == driver


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("580.95.05-1", "580.126.09-1"),
        ("580.95.05-1", "580.95.05-2"),
        ("580.95.05~rc1-1", "580.95.05-1"),
        ("600", "1:500"),
        ("1.0a", "1.0+"),
        ("1.0", "1.0a"),
        ("535.309.01-0+deb12u1", "535.309.01-1"),
    ],
)
def test_order_is_dpkgs(lower, higher):
    assert versions.compare(lower, higher) < 0 < versions.compare(higher, lower)
    assert versions.newest([lower, higher, lower]) == higher


def test_equal_and_none():
    assert versions.compare("1.01-0", "1.1") == 0
    assert versions.newest([]) is None


@pytest.mark.parametrize(
    ("version", "branch", "exact", "fits"),
    [
        ("580.95.05-1", 580, "", True),
        ("580.95.05-1", 590, "", False),
        ("580.95.05-1", 580, "580.126.09", False),
        ("580.95.05-1", None, "580.95.05", True),
        ("535.309.01-0+deb12u1", None, "", True),
    ],
)
def test_fits(version, branch, exact, fits):
    assert versions.fits(version, branch, exact) is fits


def test_kernels_sort_by_number():
    kernels = ["6.1.0-56-amd64", "6.1.0-9-amd64", "6.12.1-1-amd64"]
    assert sorted(kernels, key=versions.kernel_key) == ["6.1.0-9-amd64", "6.1.0-56-amd64", "6.12.1-1-amd64"]


def test_kernels_with_odd_digits_are_text():
    assert sorted(["6.1.0-²", "6.1.0-9"], key=versions.kernel_key) == ["6.1.0-9", "6.1.0-²"]
