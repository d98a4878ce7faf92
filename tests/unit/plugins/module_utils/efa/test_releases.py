# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases go with which platforms, and what the installer's list of packages says."""

from __future__ import annotations

import re

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import installed, releases

BOOKWORM = {
    "platform_names": ["Debian-12", "Debian-family-12"],
    "distribution": "Debian",
    "distribution_major_version": "12",
    "architecture": "x86_64",
}


def refused(version="1.47.0", mpi="openmpi4", **host):
    return releases.problems({"version": version, "mpi": mpi}, {**BOOKWORM, **host})


def test_what_is_supported_is_not_refused():
    assert refused() == [] and refused("1.36.0") == [] and refused("1.51.0", architecture="aarch64") == []


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"version": "1.35.0"}, "AWS supports Debian 12 with 1.36.0 or newer"),
        ({"version": "latest"}, "expected three numbers"),
        ({"version": "1.47"}, "expected three numbers"),
        ({"architecture": "ppc64le"}, "This host is ppc64le"),
        (
            {"platform_names": ["Debian-13"], "distribution_major_version": "13", "version": "1.45.1"},
            "AWS supports Debian 13 with 1.46.0 or",
        ),
        ({"platform_names": ["Debian-11"], "distribution_major_version": "11", "version": "1.51.0"}, "with 1.24.0 to 1.50.0"),
        ({"platform_names": ["Rocky-9"], "version": "1.29.0"}, "efa_mpi is openmpi4: the installer lets it be chosen from 1.30.0 on"),
        (
            {"platform_names": ["Fedora-41", "RedHat-family-41"], "distribution": "Fedora", "distribution_major_version": "41"},
            "This host runs Fedora 41: AWS's EFA software is known for Amazon 2023, Debian 11",
        ),
    ],
)
def test_what_is_refused_names_it(wish, told):
    assert [told in one for one in refused(**wish)] == [True], refused(**wish)


def test_the_tables_are_whole():
    assert all(re.match(r"^[0-9a-f]{64}$", value) for value in releases.SHA256.values())
    assert len(set(releases.SHA256.values())) == len(releases.SHA256)
    for first, last in releases.PLATFORMS.values():
        assert releases.VERSION.match(first) and (last is None or releases.key(first) < releases.key(last))


DEB = """# EFA installer version: 1.47.0
# Debug packages installed: no
# Packages installed:
efa_3.0.0-1.amzn1_amd64 efa-config_1.18_all libfabric-aws-bin_2.4.0amzn1.0_amd64 openmpi50-aws_5.0.9amzn1_amd64 rdma-core_61.0-1_amd64
"""
RPM = "# EFA installer version: 1.38.0\nefa-2.13.0-1.amzn2023.noarch rdma-core-54.0-1.amzn2023.x86_64 openmpi40-aws-4.1.7-1.x86_64\n"


def test_the_list_of_dpkg_and_of_rpm():
    found = installed.parse(DEB)
    assert found == {"version": "1.47.0", "packages": ["efa", "efa-config", "libfabric-aws-bin", "openmpi50-aws", "rdma-core"]}
    assert installed.parts(found["packages"]) == {"kernel_module": True, "libfabric": True, "limits": True, "mpi": ["openmpi5"]}
    found = installed.parse(RPM)
    assert found == {"version": "1.38.0", "packages": ["efa", "rdma-core", "openmpi40-aws"]}
    assert installed.parts(found["packages"]) == {"kernel_module": True, "libfabric": False, "limits": False, "mpi": ["openmpi4"]}
    assert installed.parse("") == {"version": None, "packages": []}


def test_packages_that_are_not_whole():
    known = {"efa": {"version": "1", "broken": True}, "rdma-core": {"version": "1", "broken": False}, "gone": {"version": None}}
    assert installed.not_whole(["efa", "rdma-core", "gone", "never"], known) == ["efa", "gone", "never"]
    assert installed.not_whole(["one"], {"one": {"version": "1-1", "status": "installed"}}) == []
