# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done for the wished EFA software, and that it is enough: AWS's installer as a model that never takes a package back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import installed, plan, releases

WISH = {"version": "1.47.0", "kernel_module": True, "profile": "full", "mpi": "openmpi4", "limits": True, "test": True, "image": False}
MODULE = {"registered": ["3.0.0"], "installed": "3.0.0", "loaded": None, "headers": True}
PACKAGES = ("efa", "efa-config", "efa-profile", "libfabric-aws-bin", "openmpi40-aws", "rdma-core")


def seen(version="1.47.0", packages=PACKAGES, **other):
    there = {"version": version, "packages": list(packages), "parts": installed.parts(packages), "not_whole": [], "kernel": "6.1.0-1-amd64"}
    return {**there, "module": MODULE, "devices": 4, "unbound": [], "container": False, **other}


def words(wish, host):
    return [step["what"] for step in plan.steps(dict(WISH, **wish), host)]


@pytest.mark.parametrize(
    ("wish", "host", "expected"),
    [
        ({}, seen(), []),
        ({}, seen(None, []), ["install EFA software 1.47.0"]),
        ({}, seen("1.46.0"), ["install EFA software 1.47.0"]),
        ({}, seen("1.51.0"), ["uninstall EFA software 1.51.0, to go back to 1.47.0", "install EFA software 1.47.0"]),
        ({}, seen("built by hand"), ["uninstall EFA software built by hand, to go back to 1.47.0", "install EFA software 1.47.0"]),
        ({"mpi": "all"}, seen(), ["install EFA software 1.47.0 again, for openmpi5"]),
        (
            {"profile": "minimal"},
            seen(),
            ["uninstall EFA software 1.47.0, to be rid of libfabric, openmpi4", "install EFA software 1.47.0"],
        ),
        ({"limits": False}, seen("1.46.0"), ["uninstall EFA software 1.46.0, to be rid of the limits", "install EFA software 1.47.0"]),
        ({}, seen(not_whole=["rdma-core"]), ["install EFA software 1.47.0 again, for rdma-core"]),
        ({}, seen(module={**MODULE, "installed": None}), ["build kernel module efa 3.0.0 for kernel 6.1.0-1-amd64"]),
        ({"kernel_module": False}, seen(packages=PACKAGES[1:], module={**MODULE, "installed": None}), []),
        (
            {},
            seen(module={**MODULE, "installed": None, "registered": []}),
            ["uninstall EFA software 1.47.0, as DKMS has lost its kernel module", "install EFA software 1.47.0"],
        ),
        # There was one Open MPI then, and none to choose.
        ({"version": "1.29.1", "mpi": "all"}, seen("1.29.1", [*PACKAGES[:4], "openmpi-aws"]), []),
    ],
)
def test_steps(wish, host, expected):
    assert words(wish, host) == expected


WISHES = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["1.46.0", "1.47.0", "1.51.0"]),
        "kernel_module": st.booleans(),
        "profile": st.sampled_from(["full", "minimal"]),
        "mpi": st.sampled_from(["openmpi4", "openmpi5", "all"]),
        "limits": st.booleans(),
        "test": st.booleans(),
    }
)


def model(wish, host, steps):
    """{package: release} after AWS's installer has done the steps: a package that is there in a newer release is left as it is."""
    host = dict(host)
    for step in steps:
        if step["do"] == "uninstall":
            host = {}
            continue
        full = wish["profile"] == "full"
        brought = {
            "rdma-core": True,
            "efa": wish["kernel_module"],
            "efa-config": wish["limits"],
            "libfabric-aws-bin": full,
            "openmpi40-aws": full and wish["mpi"] != "openmpi5",
            "openmpi50-aws": full and wish["mpi"] != "openmpi4",
        }
        for name in [name for name in brought if brought[name]]:
            host[name] = max(host.get(name, wish["version"]), wish["version"], key=releases.key)
    return host


def look(wish, host):
    kmod = dict(MODULE) if "efa" in host else {**MODULE, "installed": None, "registered": []}
    return seen(wish["version"] if host else None, list(host), module=kmod)


@given(st.lists(WISHES, min_size=1, max_size=4))
def test_what_is_done_is_enough_and_is_done_once(wishes):
    host, state = {}, seen(None, [])
    for wish in wishes:
        steps = plan.steps(wish, state)
        host = model(wish, host, steps)
        state = look(wish, host)
        assert set(host.values()) == {wish["version"]}, "a package of another release was left"
        assert plan.steps(wish, state) == []
        assert state["parts"]["kernel_module"] == wish["kernel_module"] and state["parts"]["limits"] == wish["limits"]


@pytest.mark.parametrize(
    ("wish", "device", "expected"),
    [
        ({}, True, ["-y", "--mpi=openmpi4"]),
        ({}, False, ["-y", "--mpi=openmpi4", "--no-verify"]),
        ({"mpi": "all", "test": False}, True, ["-y", "--no-verify"]),
        (
            {"profile": "minimal", "kernel_module": False, "limits": False},
            True,
            ["-y", "--skip-kmod", "--minimal", "--skip-limit-conf"],
        ),
    ],
)
def test_options_of_the_installer(wish, device, expected):
    assert plan.installer_options(dict(WISH, **wish), device) == expected


TWO = "provider: efa\n    domain: efa_0-rdm\n" + "provider: efa\n    domain: efa_1-rdm\n    type: FI_EP_RDM\n" * 2


@pytest.mark.parametrize(
    ("host", "fabric", "expected"),
    [
        ({"devices": 2}, plan.fabric(0, TWO), []),
        ({"devices": 4}, plan.fabric(0, TWO), ["fi_info -p efa shows 2 of 4 devices"]),
        (
            {"devices": 2},
            plan.fabric(61, "fi_getinfo: -61 (No data available)\n"),
            ["fi_info -p efa shows 0 of 2 devices: fi_getinfo: -61 (No data available)"],
        ),
        ({"not_whole": ["efa"]}, None, ["packages are missing or half installed: efa"]),
        ({"unbound": ["0000:00:10.0"]}, None, ["no driver has taken the devices 0000:00:10.0"]),
        (
            {"module": {**MODULE, "installed": None, "headers": False}},
            None,
            ["there is no kernel module efa for kernel 6.1.0-1-amd64 (DKMS has 3.0.0, and the kernel's headers are missing)"],
        ),
    ],
)
def test_what_is_still_unmet(host, fabric, expected):
    assert plan.unmet(WISH, seen(**host), fabric) == expected


@pytest.mark.parametrize(
    ("loaded", "said_so", "container", "expected"),
    [("3.0.0g", False, False, False), ("2.17.3g", False, False, True), (None, False, False, False), (None, True, False, True)]
    + [("2.17.3g", True, True, False), ("", False, False, False)],
)
def test_when_a_reboot_is_due(loaded, said_so, container, expected):
    host = seen(module={**MODULE, "loaded": loaded}, container=container)
    assert plan.waits_for_reboot(WISH, host, said_so) is expected
    assert plan.waits_for_reboot(dict(WISH, kernel_module=False), host, said_so) is False
    assert plan.waits_for_reboot(dict(WISH, image=True), host, said_so) is False


def test_on_a_builder_no_device_is_asked():
    host = plan.for_image(seen(devices=4, unbound=["0000:00:10.0"]))
    assert plan.unmet(WISH, host, None) == [] and "--no-verify" in plan.installer_options(WISH, host["devices"] > 0)
