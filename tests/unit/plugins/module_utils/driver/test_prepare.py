# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that are known not to build are refused before apt is asked what it would do; those that are built already are no matter."""

from __future__ import annotations

import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import dkms, prepare, stage

KERNEL, OLD = "6.12.118+deb13-amd64", "6.12.38+deb13-amd64"
NAMES = ["nvidia-smi", "nvidia-open-kernel-dkms"]


class Program:
    """Stands where apt is: it has Debian's packages, and simulates nothing."""

    def versions(self, names, options):
        return {name: ["550.163.01-2"] for name in names}

    def simulate(self, names, options):
        raise AssertionError("refused before")


def job(settled, kernels):
    wish = {
        "source": "distribution", "flavor": "open", "packages": NAMES, "companions": [], "kernel_modules": True, "pins": None,
        "branch": None, "version": "",
    }  # fmt: skip
    decided = {"files_due": [], "settled": settled, "driver": "550.163.01" if settled else None, "kernels": kernels, "kernel_packages": []}
    platform = {"platform_names": ["Debian-13", "Debian-family-13"]}
    seen = {"lists": True, "packages": {}}
    return types.SimpleNamespace(wish=wish, decided=decided, platform=platform, seen=seen, program=Program(), picked={}, besides={})


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """A host with modules for its old kernel, without sources of ours."""
    monkeypatch.setattr(dkms, "built", lambda driver: {OLD: ["nvidia-current-open.ko"]})
    monkeypatch.setattr(stage, "without_ours", lambda folder: [])
    monkeypatch.setattr(prepare, "from_distribution", lambda job, options: None)


@pytest.mark.parametrize("settled", [False, True])
def test_kernel_that_it_does_not_build_for_is_refused(settled, tmp_path):
    with pytest.raises(
        prepare.Refused, match=rf"driver 550\.163\.01 does not build for kernel {KERNEL[:8]}.* Set nvidia_driver_flavor to "
    ):
        prepare.prepare(job(settled, [OLD, KERNEL]), str(tmp_path))


def test_kernel_that_comes_by_policy_is_judged_too(tmp_path, monkeypatch):
    newer = {"kernels": [KERNEL], "kernel_packages": ["linux"]}
    monkeypatch.setattr(prepare.kernel_upgrade, "apply", lambda job, options: job.decided.update(newer))
    with pytest.raises(prepare.Refused, match=rf"does not build for kernel {KERNEL[:8]}"):
        prepare.prepare(job(False, [OLD]), str(tmp_path))


def test_kernel_that_has_its_modules_is_no_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(dkms, "built", lambda driver: {KERNEL: ["nvidia-current-open.ko"]})
    assert prepare.prepare(job(True, [KERNEL]), str(tmp_path)) == []
