# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import kernels, modinfo
from tests.unit.plugins.module_utils.gpu.conftest import module_file

OPEN, PROPRIETARY = {"version": "580.95.05", "license": "Dual MIT/GPL"}, {"version": "535.309.01", "license": "NVIDIA"}


def nobody(path):
    raise AssertionError(f"modinfo was asked for {path}")


def look(tree, running="6.1.0-41-amd64", ask=nobody):
    return kernels.look(tree.host, running, ask)


def kernel(tree, release, headers=True):
    tree.put(f"/lib/modules/{release}/modules.builtin")
    if headers:
        tree.folder(f"/lib/modules/{release}/build")


def test_no_modules_at_all(tree):
    assert look(tree) == {
        "kernel": {"running": "6.1.0-41-amd64", "headers": False, "headers_for": [], "newest_installed": None, "installed": []},
        "modules": [],
    }


def test_kernels_and_headers(tree):
    kernel(tree, "6.1.0-9-amd64")
    kernel(tree, "6.1.0-41-amd64")
    kernel(tree, "6.1.0-42-amd64", headers=False)
    tree.folder("/lib/modules/6.1.0-43-amd64/updates")  # left behind
    tree.folder("/lib/modules/6.9.1-1-amd64/build")  # headers without a kernel
    found = look(tree)["kernel"]
    assert found["headers"] and found["newest_installed"] == "6.1.0-42-amd64"
    assert found["installed"] == ["6.1.0-9-amd64", "6.1.0-41-amd64", "6.1.0-42-amd64"]
    assert found["headers_for"] == ["6.1.0-9-amd64", "6.1.0-41-amd64", "6.9.1-1-amd64"]


def test_an_image_in_boot_makes_a_kernel_installed(tree):
    tree.folder("/lib/modules/5.14.0-503.el9.x86_64")
    tree.put("/boot/vmlinuz-5.14.0-503.el9.x86_64")
    assert look(tree)["kernel"]["newest_installed"] == "5.14.0-503.el9.x86_64"


@pytest.mark.parametrize(
    "place",
    [
        "updates/dkms/nvidia.ko",
        "updates/dkms/nvidia-current.ko",
        "extra/nvidia.ko",
        "kernel/nvidia-580/nvidia.ko",
        "kernel/drivers/video/nvidia.ko",
    ],
)
def test_where_the_module_may_be(tree, place):
    kernel(tree, "6.1.0-41-amd64")
    tree.put(f"/lib/modules/6.1.0-41-amd64/{place}", module_file(**OPEN))
    expected = {"kernel": "6.1.0-41-amd64", "version": "580.95.05", "flavor": "open", "path": f"/lib/modules/6.1.0-41-amd64/{place}"}
    assert look(tree)["modules"] == [expected]


def test_what_only_looks_like_the_module(tree):
    for name in ("nvidia-drm.ko", "nvidia-uvm.ko", "nvidiafb.ko", "nvidia-fs.ko", "nvidia.ko.bak"):
        tree.put(f"/lib/modules/6.1.0-41-amd64/updates/dkms/{name}", module_file(**OPEN))
    assert look(tree)["modules"] == []


def test_a_compressed_module_is_read_by_modinfo(tree):
    path = tree.put("/lib/modules/6.12.0-1/updates/dkms/nvidia.ko.xz", "compressed")

    def ask(asked):
        assert asked == str(path)
        return modinfo.parse_printed("filename:       x\nversion:        535.309.01\nlicense:        NVIDIA\nalias:  a:b\nversion: 2\n")

    (found,) = look(tree, ask=ask)["modules"]
    assert (found["version"], found["flavor"]) == ("535.309.01", "proprietary")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"no module" * 20, module_file(**OPEN)[:90], module_file(license="NVIDIA")])
def test_dkms_knows_the_version_of_an_unreadable_module(tree, content):
    tree.put("/lib/modules/6.12.0-1/updates/dkms/nvidia.ko", content)
    tree.folder("/var/lib/dkms/nvidia/580.95.05/6.12.0-1/x86_64/module")
    tree.folder("/var/lib/dkms/nvidia-fs/2.1/6.12.0-1/x86_64/module")
    assert look(tree)["modules"][0]["version"] == "580.95.05"


def test_two_versions_of_dkms_leave_it_unknown(tree):
    tree.put("/lib/modules/6.12.0-1/updates/dkms/nvidia.ko", b"?")
    for version in ("580.95.05", "535.309.01"):
        tree.folder(f"/var/lib/dkms/nvidia/{version}/6.12.0-1")
    assert look(tree)["modules"][0]["version"] is None
    assert kernels.dkms_registered(tree.host) == ["535.309.01", "580.95.05"]


def test_an_unreadable_folder_is_said(tree, monkeypatch):
    kernel(tree, "6.1.0-41-amd64")
    real = os.scandir
    tree.folder("/lib/modules/6.1.0-41-amd64/updates")

    def refuse(path):
        if str(path).endswith("updates"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert look(tree)["modules"] == []
    assert tree.host.unread == ["/lib/modules/6.1.0-41-amd64/updates: Permission denied"]


def test_order_counts_numbers_as_numbers():
    releases = ["6.1.0-41-amd64", "6.1.0-9-amd64", "5.14.0-70.el9", "6.12.1+deb13-amd64", "6.1.0-41-cloud-amd64"]
    assert sorted(releases, key=kernels.order)[0] == "5.14.0-70.el9"
    assert sorted(releases, key=kernels.order)[1] == "6.1.0-9-amd64"
    assert sorted(releases, key=kernels.order)[-1] == "6.12.1+deb13-amd64"


@given(st.lists(st.text(max_size=30)))
def test_any_names_can_be_ordered(names):
    sorted(names, key=kernels.order)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@example(at=40, put=b"\xff" * 8)
@example(at=58, put=b"\xff" * 6)
@given(at=st.integers(0, 400), put=st.binary(max_size=16))
def test_no_module_file_raises(at, put):
    whole = module_file(**PROPRIETARY)
    odd = whole[:at] + put + whole[at + len(put) :]
    for data in (odd, whole[:at], put):
        found = modinfo.read(lambda start, count, data=data: data[start : start + count])
        assert isinstance(found, dict)
