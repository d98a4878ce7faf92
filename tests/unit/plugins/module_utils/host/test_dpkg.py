# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages and their states from dpkg's own files."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Description: GNU C Library
 Package: not a field, but text

Package: libc6
Status: install ok half-configured
Architecture: i386
Version: 2.36-9

Package: nginx
Status: hold ok installed
Architecture: amd64
Version: 1.22.1-9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: half
Status: install reinstreq half-installed
Architecture: all
Version: 2.0
"""


def test_packages_by_name_with_version_state_and_hold():
    packages = dpkg.parse_status(STATUS)
    assert dpkg.select(packages, ["nginx", "gone", "missing"]) == {
        "nginx": {"version": "1.22.1-9", "status": "installed", "held": True},
        "gone": {"version": None, "status": "config-files", "held": False},
        "missing": {"version": None, "status": "not-installed", "held": False},
    }


def test_of_two_architectures_the_installed_one_counts_and_both_can_be_asked_for():
    packages = dpkg.select(dpkg.parse_status(STATUS), ["libc6", "libc6:i386"])
    assert packages["libc6"]["status"] == "installed" and packages["libc6:i386"]["status"] == "half-configured"


def test_unfinished_packages_of_any_architecture_are_broken():
    assert dpkg.broken(dpkg.parse_status(STATUS)) == ["half", "libc6"]


def test_what_an_interrupted_dpkg_wrote_beside_counts(tmp_path):
    (tmp_path / "updates").mkdir()
    (tmp_path / "status").write_text(STATUS)
    assert not dpkg.interrupted(tmp_path)
    entry = "Package: nginx\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: 1.23\n"
    (tmp_path / "updates" / "0001").write_text(entry)
    assert dpkg.read_status(tmp_path)["nginx"]["status"] == "unpacked" and dpkg.interrupted(tmp_path)


def test_host_without_dpkg(tmp_path):
    assert dpkg.read_status(tmp_path / "missing") == {} and dpkg.parse_status("no package at all\n") == {}


def test_paragraph_without_a_name_is_passed_over():
    assert (
        dpkg.parse_status("Status: install ok installed\nVersion: 1\n\nPackage: a\nStatus: install ok installed\nVersion: 2\n")["a"][
            "version"
        ]
        == "2"
    )
