# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rpm has, and what is to be done on a host of dnf."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import backends, dnf_transaction, plan, record, rpms, state
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins

KERNEL = "5.14.0-503.11.1.el9_5.x86_64"
# rpm -qa of a host, recorded.
INSTALLED = """\
base 0:9-1.el9 x86_64
gpg-pubkey 0:9b83d5a0-6b0939a0 (none)
gpg-pubkey 0:05f10116-6b093a59 (none)
kernel-devel 0:5.14.0-427.el9 x86_64
kernel-devel 0:5.14.0-503.11.1.el9_5 x86_64
libnvidia-ml 3:580.95.05-1.el9 x86_64
kmod-nvidia-open-dkms 3:580.95.05-1.el9 x86_64
nvidia-driver-cuda 3:580.95.05-1.el9 x86_64
"""
URL = "http://x/rhel9/x86_64/"


def wish(**other):
    return {
        "source": "nvidia", "repository": URL, "branch": 580, "version": "", "flavor": "open", "architectures": ["ampere"],
        "packages": ["nvidia-driver-cuda", "kmod-nvidia-open-dkms"], "packages_absent": ["kmod-nvidia-latest-dkms"],
        "kernel_modules": True, "kernels": ["running"], "headers": "kernel-devel-KERNEL", "hold": True, "load": False,
        "companions": [], "pins": None, **other,
    }  # fmt: skip


def seen(**other):
    return {
        "packages": {}, "files": dict.fromkeys(rpms.FILES), "manifest": {}, "sources": {}, "keyrings": {}, "lists": True,
        "running": KERNEL, "installed_kernels": [KERNEL], "header_kernels": [], "loaded": False, "nouveau": False, **other,
    }  # fmt: skip


def decide(wished, there):
    return plan.decide(wished, there, rpms.files_due)


def test_packages_and_their_locks():
    found = rpms.packages_of(rpms.parse(INSTALLED), "nvidia-driver-cuda-3:580.95.05-1.el9.*\n")
    assert found["nvidia-driver-cuda"] == {"version": "3:580.95.05-1.el9", "status": "installed", "held": True, "broken": False}
    assert found["kernel-devel"]["version"] == "5.14.0-503.11.1.el9_5" and not found["libnvidia-ml"]["held"]
    assert {"gpg-pubkey-9b83d5a0-6b0939a0", "gpg-pubkey-05f10116-6b093a59"} < set(found)


def test_bare_host():
    found = decide(wish(), seen())
    assert found["problems"] == [] and not found["settled"]
    assert found["kernel_packages"] == found["headers"] == [f"kernel-devel-{KERNEL}"]
    assert found["files_due"] == [state.NOUVEAU, rpms.SOURCE, rpms.KEY]


def test_installed_driver_of_the_branch_stays_and_is_locked():
    packages = rpms.packages_of(rpms.parse(INSTALLED), "")
    files = {
        state.NOUVEAU: plan.sha256(state.NOUVEAU_TEXT), state.UMAD: None, rpms.KEY: "x",
        rpms.SOURCE: plan.sha256(rpms.source_text(URL)),
    }  # fmt: skip
    found = decide(wish(), seen(packages=packages, files=files, header_kernels=[KERNEL]))
    assert found["settled"] and found["driver"] == "580.95.05" and found["files_due"] == []
    assert plan.holds_due(wish(), packages, "580.95.05") == ["kmod-nvidia-open-dkms", "libnvidia-ml", "nvidia-driver-cuda"]
    assert rpms.SOURCE in decide(wish(), seen(files={**files, rpms.SOURCE: "another mirror's"}))["files_due"]


def test_record_of_what_is_installed_is_pins():
    host = {"platform": "RedHat-family-9", "machine": "x86_64", "gpus": [], "nvswitch": False, "nvlsm": False}
    made = record.snapshot(rpms.packages_of(rpms.parse(INSTALLED), ""), host, [KERNEL])
    assert pins.shape_problems(made) == []
    assert made["driver"] == {"version": "580.95.05", "branch": 580, "flavor": "open", "dkms": made["driver"]["dkms"]}
    assert made["packages"]["nvidia-driver-cuda"] == "3:580.95.05-1.el9"
    assert made["kernels"] == [{"release": KERNEL, "headers": "kernel-devel", "image": None}]


def test_pinned_kernels_are_told_by_their_release():
    """kernel-devel is the name of all kernels' headers, so a version of it says nothing of the others."""
    host = {"platform": "RedHat-family-9", "machine": "x86_64", "gpus": [], "nvswitch": False, "nvlsm": False}
    made = record.snapshot(rpms.packages_of(rpms.parse(INSTALLED), ""), host, [KERNEL])
    other = "5.14.0-570.el9_6.x86_64"
    made["kernels"].append({"release": other, "headers": "kernel-devel", "image": None})
    wished = wish(pins=made, version="580.95.05", kernels=[KERNEL, other])
    found = decide(wished, seen(header_kernels=[KERNEL]))
    assert found["kernel_packages"] == [f"kernel-{other}", f"kernel-devel-{other}"] and found["headers"] == [f"kernel-devel-{other}"]
    # In a container no kernel is installed: it is the machine's.
    assert decide(wished, seen(installed_kernels=[]))["kernel_packages"] == [f"kernel-devel-{KERNEL}", f"kernel-devel-{other}"]


def test_what_an_undo_has_to_do():
    before = rpms.parse(INSTALLED)
    after = rpms.parse(INSTALLED.replace("580.95.05", "595.58.03") + "dkms 0:3.2-1 noarch\ngpg-pubkey 0:d42d0685-1 (none)\n")
    found = dnf_transaction.difference(before, after)
    assert [name for name, _version in found["back"]] == ["kmod-nvidia-open-dkms", "libnvidia-ml", "nvidia-driver-cuda"]
    assert {version for _name, version in found["back"]} == {"3:580.95.05-1.el9"}
    assert found["added"] == ["dkms-0:3.2-1.noarch", "gpg-pubkey-d42d0685-1"] and found["beside"] == []
    assert dnf_transaction.difference(before, before) == {"added": [], "beside": [], "back": []}


def test_a_kernel_beside_the_old_one_takes_no_place():
    after = rpms.parse(INSTALLED + "kernel-devel 0:5.14.0-570.el9_6 x86_64\n")
    assert dnf_transaction.difference(rpms.parse(INSTALLED), after) == {
        "added": [], "beside": ["kernel-devel-0:5.14.0-570.el9_6.x86_64"], "back": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("known", "has_dnf", "expected"),
    [({"bash": {}}, True, backends.Debs), ({"bash": {}}, False, backends.Debs), ({}, True, backends.Rpms), ({}, False, None)],
)
def test_package_manager_of_a_host(monkeypatch, known, has_dnf, expected):
    """Debian has a package named dnf, and Red Hat's users may have dpkg."""
    monkeypatch.setattr(backends.state, "packages", lambda: known)
    monkeypatch.setattr(backends.os, "access", lambda path, how: has_dnf)
    assert backends.of_host() is expected
