# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done for a wish on a host."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import plan, repository, state

URL = "https://example.org/debian12/x86_64/"


def wish(**other):
    return {
        "source": "nvidia", "repository": URL, "branch": 580, "version": "", "flavor": "open", "architectures": ["ampere"],
        "packages": ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"], "packages_absent": ["nvidia-kernel-dkms"], "kernel_modules": True,
        "kernels": ["running"], "headers": "linux-headers-KERNEL", "hold": True, "load": False, "companions": [], "pins": None, **other,
    }  # fmt: skip


def package(version, held=False):
    return {"version": version, "status": "installed", "held": held, "broken": False}


def seen(**other):
    return {
        "packages": {}, "files": dict.fromkeys(state.FILES), "manifest": {}, "sources": {}, "keyrings": {},
        "lists": True, "running": "6.1.0-56-amd64",
        "installed_kernels": ["6.1.0-56-amd64"], "header_kernels": [], "loaded": False, "nouveau": False, **other,
    }  # fmt: skip


INSTALLED = {"nvidia-driver-cuda": package("580.95.05-1"), "nvidia-kernel-open-dkms": package("580.95.05-1")}


def test_bare_host():
    found = plan.decide(wish(), seen())
    assert found["problems"] == [] and not found["settled"] and found["driver"] is None
    assert found["headers"] == ["linux-headers-6.1.0-56-amd64"] and found["kernels"] == ["6.1.0-56-amd64"]
    assert found["files_due"] == [state.NOUVEAU, repository.SOURCE, repository.KEYRING, repository.PREFERENCES]


def test_installed_driver_of_the_branch_stays():
    found = plan.decide(wish(), seen(packages=INSTALLED, header_kernels=["6.1.0-56-amd64"]))
    assert found["settled"] and found["driver"] == "580.95.05" and found["headers"] == []


def test_preferences_of_another_driver_are_written_anew():
    files = dict.fromkeys(state.FILES, "x")
    host = seen(files=files, manifest={"files": files}, packages=INSTALLED)
    assert repository.PREFERENCES not in plan.decide(wish(), host)["files_due"]
    assert repository.PREFERENCES in plan.decide(wish(branch=595), host)["files_due"]


def test_distribution_wants_neither_our_source_nor_our_preferences():
    files = dict.fromkeys(state.FILES, "x")
    own = wish(source="distribution", branch=None, kernel_modules=False)
    wanted = [repository.LOCAL_SOURCE, repository.SOURCE, repository.PREFERENCES]
    assert plan.decide(own, seen(files=files))["files_due"] == wanted
    assert plan.decide(own, seen())["files_due"] == []


@pytest.mark.parametrize("other", [{"version": "580.126.09"}, {"branch": 590}, {"packages": ["nvidia-driver-cuda", "nvidia-kernel-dkms"]}])
def test_another_driver_is_installed(other):
    assert not plan.decide(wish(**other), seen(packages=INSTALLED))["settled"]


def test_packages_of_two_drivers_are_not_settled():
    packages = dict(INSTALLED, **{"nvidia-kernel-open-dkms": package("580.126.09-1")})
    assert not plan.decide(wish(), seen(packages=packages))["settled"]
    assert plan.mixed(packages, "580.95.05") == ["nvidia-kernel-open-dkms is 580.126.09-1, and the driver is 580.95.05"]


def test_other_flavor_goes():
    found = plan.decide(wish(), seen(packages=dict(INSTALLED, **{"nvidia-kernel-dkms": package("580.95.05-1")})))
    assert found["remove"] == ["nvidia-kernel-dkms"] and not found["settled"]


def test_half_installed_is_not_installed():
    packages = dict(INSTALLED, **{"nvidia-kernel-open-dkms": dict(package("580.95.05-1"), status="half-configured", broken=True)})
    assert not plan.decide(wish(), seen(packages=packages))["settled"]


def test_user_space_alone_wants_no_kernel_and_leaves_nouveau():
    found = plan.decide(wish(source="distribution", branch=None, kernel_modules=False, kernels=["running"]), seen())
    assert found["kernels"] == found["headers"] == found["files_due"] == []


def test_source_of_somebody_else_is_used():
    found = plan.decide(wish(), seen(sources={"/etc/apt/sources.list.d/cuda.list": f"deb {URL} /\n"}))
    assert found["listed"] == ["/etc/apt/sources.list.d/cuda.list"]
    assert repository.SOURCE not in found["files_due"] and repository.KEYRING not in found["files_due"]


def test_files_as_written_are_not_due():
    files = {
        state.NOUVEAU: plan.sha256(state.NOUVEAU_TEXT), repository.SOURCE: plan.sha256(repository.source_text(URL)),
        repository.KEYRING: "k", repository.PREFERENCES: "p",
    }  # fmt: skip
    host = {"packages": INSTALLED, "files": {**dict.fromkeys(state.FILES), **files}}
    assert plan.decide(wish(), seen(**host, manifest={"files": files}))["files_due"] == []
    assert plan.decide(wish(), seen(**host, manifest={"files": {repository.PREFERENCES: "q"}}))["files_due"] == [repository.PREFERENCES]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"version": "580"}, "nvidia_driver_version is '580': expected a driver's number"),
        ({"version": "590.1.1"}, "nvidia_driver_version is 590.1.1: that is not of nvidia_driver_branch 580. Set the branch to 590"),
        ({"branch": 58}, "nvidia_driver_branch is 58: expected the number before the first point"),
        ({"branch": None}, "nvidia_driver_branch is empty: nvidia_driver_source nvidia wants a branch"),
        ({"architectures": ["volta"]}, "nvidia_driver_flavor is open: this host has a volta GPU"),
        ({"kernels": ["installed-headers"]}, "nvidia_driver_kernels is installed-headers: that names no kernel"),
    ],
)
def test_refused(other, told):
    (message,) = plan.decide(wish(**other), seen())["problems"]
    assert message.startswith(told)


TRIXIE = (["Debian-13", "Debian-family-13"], "550.163.01", ["6.12.38+deb13-amd64", "6.12.118+deb13-amd64"])


def test_build_that_is_known_to_fail_is_refused():
    (told,) = plan.unbuildable(wish(flavor="open"), *TRIXIE)
    assert told.startswith(
        "nvidia_driver_flavor is open: driver 550.163.01 does not build for kernel 6.12.118+deb13-amd64: its open modules "
    )
    assert "Nothing was changed. Set nvidia_driver_flavor to proprietary, take another driver" in told


@pytest.mark.parametrize(
    ("more", "names", "driver", "kernels"),
    [
        ({"flavor": "proprietary"}, *TRIXIE),
        ({"flavor": "open", "kernel_modules": False}, *TRIXIE),
        ({"flavor": "open"}, ["Debian-12", "Debian-family-12"], *TRIXIE[1:]),
        ({"flavor": "open"}, TRIXIE[0], "550.163.02", TRIXIE[2]),
        ({"flavor": "open"}, *TRIXIE[:2], TRIXIE[2][:1]),
        ({"flavor": "open"}, *TRIXIE[:2], []),
    ],
)
def test_build_that_is_not_known_to_fail_is_tried(more, names, driver, kernels):
    assert plan.unbuildable(wish(**more), names, driver, kernels) == []


def test_builds_and_holds_that_are_due():
    decided = plan.decide(wish(), seen(packages=INSTALLED))
    assert plan.builds_due(decided, "580.95.05", {}) == ["6.1.0-56-amd64"]
    assert plan.builds_due(decided, "580.95.05", {"6.1.0-56-amd64": ["x"]}) == []
    packages = dict(INSTALLED, libcuda1=package("580.95.05-1", held=True), bash=package("580.95.05"))
    assert plan.holds_due(wish(), packages, "580.95.05") == ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"]
    assert plan.holds_due(wish(hold=False), packages, "580.95.05") == []


@pytest.mark.parametrize(
    ("asked", "there", "due"),
    [
        ({"load": True}, {}, True),
        ({"load": False}, {}, False),
        ({"load": True}, {"loaded": True}, False),
        ({"load": True}, {"nouveau": True}, False),
        ({"load": True}, {"running": "6.1.0-57-amd64"}, False),
        ({"load": True, "kernel_modules": False}, {}, False),
    ],
)
def test_modules_are_loaded_where_that_can_work(asked, there, due):
    host = seen(packages=INSTALLED, **there)
    assert plan.load_due(wish(**asked), host, plan.decide(wish(**asked), host), {"6.1.0-56-amd64": ["x"]}) is due


def test_holds_of_others_are_respected():
    actions = [
        {"action": "install", "name": "dkms", "old": "3.0", "new": "3.1"},
        {"action": "remove", "name": "libcuda1", "old": "1", "new": None},
    ]
    packages = {"dkms": package("3.0", held=True), "libcuda1": package("1", held=True)}
    (told,) = plan.foreign_holds(packages, actions, ["libcuda1"])
    assert told.startswith("dkms is held at 3.0, and the driver would move it. Nothing was changed. Release it (apt-mark unhold dkms)")


def test_manifest_names_what_is_there():
    packages = dict(INSTALLED, gone={"version": None, "status": "config-files", "held": False, "broken": False})
    written = plan.manifest(wish(), packages, "580.95.05", {}, {"/a": "x", "/b": None}, ["gone", "nvidia-driver-cuda"])
    assert written["packages"] == {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1"}
    assert written["brought"] == ["nvidia-driver-cuda"] and written["files"] == {"/a": "x"} and written["held"] == []


@pytest.mark.parametrize(
    ("other", "files_due", "begun", "due"),
    [
        ({}, [state.NOUVEAU], False, True),
        ({}, [], True, True),
        ({}, [repository.SOURCE], False, False),
        ({"kernel_modules": False}, [], True, False),
    ],
)
def test_initramfs_that_a_killed_run_left_is_made_again(other, files_due, begun, due):
    """The file that blocks nouveau is written first: after a kill it is as wished, and the initramfs may be without it."""
    assert plan.initramfs_due(wish(**other), seen(begun=begun), {"files_due": files_due}) is due
