# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels of later upgrades come with their headers, where those that come now are of kernels of this host."""

from __future__ import annotations

import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, following_headers
from tests.unit.plugins.module_utils.driver.test_plan import package

META, IMAGE = "linux-headers-cloud-amd64", "linux-image-cloud-amd64"
HERE, NEXT = "6.1.0-57-cloud-amd64", "6.1.0-58-cloud-amd64"
OLD, NEW = "6.1.170-1", "6.1.171-1"


def brings(release, *others):
    names = [META, f"linux-headers-{release}", f"linux-headers-{release.removesuffix('-cloud-amd64')}-common", "linux-kbuild-6.1", *others]
    return [{"action": "install", "name": name, "old": None, "new": "1"} for name in names]


@pytest.mark.parametrize(
    ("names", "headers"),
    [
        ({IMAGE}, {META}),
        ({"linux-image-amd64", IMAGE}, {"linux-headers-amd64", META}),
        ({IMAGE, META}, set()),
        ({"linux-image-generic-hwe-22.04", "linux-image-aws"}, {"linux-headers-generic-hwe-22.04", "linux-headers-aws"}),
        ({f"linux-image-{HERE}", "linux-image-unsigned-6.8.0-1030-aws", "linux-image-amd64-dbg", "linux-image-rt-6.1.0-56-amd64"}, set()),
        ({"linux-aws", "nvidia-smi"}, set()),
    ],
)
def test_meta_packages(names, headers):
    assert set(following_headers.missing({name: package(OLD) for name in names})) == headers


def test_what_is_not_installed_wants_none():
    assert following_headers.missing({IMAGE: {**package(OLD), "status": "config-files"}, "linux-image-amd64": package(None)}) == {}


@pytest.mark.parametrize(
    ("actions", "good"),
    [
        (brings(HERE), True),
        (brings(NEXT), False),
        (brings(HERE, f"linux-image-{HERE}"), False),
        ([*brings(HERE), {"action": "remove", "name": "theirs", "old": "1", "new": None}], False),
        ([*brings(HERE), {"action": "install", "name": "gcc-12", "old": "1", "new": "2"}], False),
        ([], True),
    ],
)
def test_only_headers_of_the_hosts_kernels(actions, good):
    assert following_headers.fits(actions, [HERE]) is good


def applied(offered, kernel_packages=(), modules=True, **seen):
    """(packages of kernels afterwards, notices) of a host that runs HERE with OLD; offered: {version of META: release}."""

    def simulate(names, options):
        (name, _sign, version), *rest = (one.partition("=") for one in names)
        assert name == META and not rest
        if offered[version] is None:
            raise apt.Failed("simulate", "E: held broken packages")
        return brings(offered[version])

    program = types.SimpleNamespace(versions=lambda names, options: {META: list(offered)} if offered else {}, simulate=simulate)
    seen = {"packages": {IMAGE: package(OLD)}, "installed_kernels": [HERE], **seen}
    job = types.SimpleNamespace(
        wish={"kernel_modules": modules}, seen=seen, program=program, notices=[], decided={"kernel_packages": list(kernel_packages)}
    )
    following_headers.apply(job, [])
    return job.decided["kernel_packages"], job.notices


def test_headers_follow_the_image():
    assert applied({NEW: NEXT, OLD: HERE}) == ([f"{META}={OLD}"], [])
    assert applied({OLD: HERE}, [f"linux-headers-{HERE}"]) == ([f"linux-headers-{HERE}", f"{META}={OLD}"], [])


def test_kernel_that_comes_now_counts():
    coming = [f"linux-image-{NEXT}=6.1.171-1", f"linux-headers-{NEXT}"]
    assert applied({NEW: NEXT}, coming) == ([*coming, f"{META}={NEW}"], [])


@pytest.mark.parametrize("offered", [{}, {NEW: NEXT}, {OLD: None}])
def test_headers_of_other_kernels_do_not_come(offered):
    packages, (told,) = applied(offered)
    assert packages == [] and told.startswith(f"{IMAGE} is {OLD} here, and no source has {META} for its kernel (offered: ")


@pytest.mark.parametrize("other", [{"modules": False}, {"container": True}, {"packages": {}}])
def test_hosts_that_need_none(other):
    assert applied({OLD: HERE}, **other) == ([], [])
