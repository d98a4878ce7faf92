# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role efa makes of a host that it has read: whom it is for, Secure Boot, reboots, and where the archive comes from."""

from __future__ import annotations

import pytest

DEVICE = {"address": "0000:00:10.0", "device": "efa1", "kernel_driver": "efa", "responds": True}
GPU = {
    "efa": {"devices": [DEVICE], "module": {"is_loaded": True, "version": "2.17.3g"}}, "users": [], "container": False,
    "secure_boot": "disabled", "mok": {"keys": []}, "kernel": {"running": "6.1.0-1-amd64", "headers": True},
}  # fmt: skip
SEEN = {"wanted": False, "changed": False, "steps": [], "unmet": [], "reboot_required": False, "programs_missing": []}
BUSY = [{"pid": 4711, "program": "python3"}]


@pytest.fixture
def ask(value_of):
    """Function (variable, facts that differ, answer of the module that differs, settings) → value on a host."""

    def value(name, facts=(), seen=(), **settings):
        known = {"inventory_hostname": "node", "ansible_check_mode": False, **settings}
        return value_of("efa", name, ansible_facts={"mlinfra_gpu": {**GPU, **dict(facts)}}, __efa={**SEEN, **dict(seen)}, **known)

    return value


def test_a_host_without_a_device_is_left(ask):
    assert ask("_efa_is_for_this_host") is True
    none = {"efa": {"devices": []}}
    assert ask("_efa_is_for_this_host", none) is False and ask("_efa_is_for_this_host", none, efa_without_device=True) is True


def target(efa=True, in_use=True):
    return {"efa": {"devices": []}, "target": {"in_use": in_use, "models": ["h100"], "efa": efa}}


def test_a_builder_of_an_image_gets_it_where_such_gpus_come_with_efa(ask):
    assert ask("_efa_is_for_this_host", target()) is True
    assert ask("_efa_is_for_this_host", target(efa=False)) is False and ask("_efa_is_for_this_host", target(in_use=False)) is False
    assert ask("_efa_is_for_this_host", {"efa": {"devices": []}, "target": None}) is False
    assert "(h100): EFA software 1.47.0 is there; nothing was loaded or rebooted" in ask("_efa_unproven", target())


def test_the_kernel_that_an_image_boots_gets_a_module(ask):
    kernel = {"running": "6.1.0-1-amd64", "headers": True, "newest_installed": "6.1.0-2-amd64", "headers_for": ["6.1.0-1-amd64"]}
    assert ask("_efa_kernel", {**target(), "kernel": kernel}) == "6.1.0-2-amd64"
    assert ask("_efa_packages", {**target(), "kernel": kernel}) == ["linux-headers-6.1.0-2-amd64"]
    kernel["headers_for"].append("6.1.0-2-amd64")
    assert ask("_efa_packages", {**target(), "kernel": kernel}) == []
    assert ask("_efa_kernel", {"kernel": kernel}) == "", "on a host it is the kernel that runs"
    assert ask("_efa_kernel", {**target(), "kernel": {**kernel, "newest_installed": None}}) == ""


def test_it_is_removed_from_any_host(ask):
    assert ask("_efa_is_for_this_host", {"efa": {"devices": []}}, efa_state="absent") is True
    assert ask("_efa_unsigned", {"secure_boot": "enabled"}, {"wanted": True}, efa_state="absent") == ""
    assert "that was removed: a reboot takes it away" in ask("_efa_waits", efa_state="absent")
    told = [{"name": "dkms", "needed_by": ["kmod-nvidia"]}, {"name": "libibverbs1", "needed_by": ["libopenmpi3", "libucx0"]}]
    assert ask("_efa_kept", (), {"kept": told}).endswith("need them: dkms (for kmod-nvidia), libibverbs1 (for libopenmpi3, libucx0).")
    assert ask("_efa_kept") == ""


@pytest.mark.parametrize(
    ("keys", "settings", "is_refused"),
    [
        ([], {}, True),
        ([{"path": "/var/lib/dkms/mok.pub", "enrolled": False}], {}, True),
        ([{"path": "/var/lib/dkms/mok.pub", "enrolled": None}], {}, True),
        ([{"path": "/var/lib/dkms/mok.pub", "enrolled": True}], {}, False),
        ([], {"efa_key_enrolled": True}, False),
        ([], {"efa_kernel_module": False}, False),
    ],
)
def test_secure_boot_wants_a_key(ask, keys, settings, is_refused):
    signed = {"secure_boot": "enabled", "mok": {"keys": keys}}
    told = ask("_efa_unsigned", signed, {"wanted": True}, **settings)
    assert bool(told) is is_refused
    if told:
        assert "node boots with Secure Boot" in told and "efa_kernel_module to false" in told
        assert (keys[0]["path"] if keys else "there is none") in told
    # What is there already was signed, or it would not be as wished.
    assert ask("_efa_unsigned", signed, **settings) == ""


@pytest.mark.parametrize(
    ("facts", "settings", "is_due"),
    [
        ({}, {"efa_reboot": "if_required"}, True),
        ({}, {}, False),
        ({"container": True}, {"efa_reboot": "if_required"}, False),
        ({"users": BUSY}, {"efa_reboot": "if_required"}, False),
        ({"users": None}, {"efa_reboot": "if_required"}, False),
        ({}, {"efa_reboot": "if_required", "device_users": BUSY}, False),
        ({}, {"efa_reboot": "if_required", "device_users": None}, False),
        ({}, {"efa_reboot": "if_required", "ansible_check_mode": True}, False),
        ({}, {"efa_reboot": "if_required", "ansible_connection": "local"}, False),
        ({}, {"efa_reboot": "if_required", "ansible_connection": "ansible.builtin.local"}, False),
    ],
)
def test_a_reboot_is_asked_for_and_never_under_jobs(ask, facts, settings, is_due):
    settings = dict(settings)
    seen = {"reboot_required": True, "users": settings.pop("device_users", [])}
    assert ask("_efa_reboot_due", facts, seen, **settings) is is_due
    assert ask("_efa_reboot_due", facts, **settings) is False


def test_why_a_host_was_not_rebooted(ask):
    assert "or set efa_reboot to if_required" in ask("_efa_waits")
    told = ask("_efa_waits", {"users": BUSY}, efa_reboot="if_required")
    assert "It was not rebooted, as 1 process uses its GPUs (python3 pid 4711). Drain it" in told
    assert "as it cannot be told whether processes use" in ask("_efa_waits", {"users": None}, efa_reboot="if_required")
    told = ask("_efa_waits", (), {"users": BUSY}, efa_reboot="if_required")
    assert "It was not rebooted, as 1 process uses its EFA devices (python3 pid 4711). Drain it" in told
    told = ask("_efa_waits", {"users": BUSY}, {"users": None}, efa_reboot="if_required")
    assert "as 1 process uses its GPUs (python3 pid 4711), and it cannot be told whether processes use its EFA devices (" in told


def test_headers_of_the_kernel_that_runs(ask):
    bare = {"kernel": {"running": "6.1.0-1-amd64", "headers": False}}
    assert ask("_efa_packages", bare, {"programs_missing": ["gpgv"]}) == ["gpgv", "linux-headers-6.1.0-1-amd64"]
    assert ask("_efa_packages", bare, efa_kernel_module=False) == [] == ask("_efa_packages")


def test_where_the_archive_comes_from(ask):
    name = "aws-efa-installer-1.47.0.tar.gz"
    base = "https://efa-installer.amazonaws.com/"
    assert [one["url"] for one in ask("_efa_files")] == [base + name, base + name + ".sig", base + "aws-efa-installer.key"]
    found = ask("_efa_files", efa_repository="http://mirror/efa/", efa_key="/keys/aws.key")
    assert [one.get("url", one.get("path")) for one in found] == [
        f"http://mirror/efa/{name}",
        f"http://mirror/efa/{name}.sig",
        "/keys/aws.key",
    ]
    found = ask("_efa_files", efa_archive="/files/efa.tgz", efa_key="https://keys/aws.key")
    assert found == [
        {"name": name, "path": "/files/efa.tgz"},
        {"name": name + ".sig", "path": "/files/efa.tgz.sig"},
        {"name": "aws-efa-installer.key", "url": "https://keys/aws.key"},
    ]


def test_what_is_wrong_in_the_end(ask):
    assert ask("_efa_unmet") == ""
    due = {"wanted": True, "steps": ["install EFA software 1.47.0"]}
    assert ask("_efa_unmet", (), due).endswith("Still to be done: install EFA software 1.47.0. Run role mlinfra.hosts.efa.")
    # Done in this very run.
    assert ask("_efa_unmet", (), {**due, "changed": True}) == ""
    assert "does not work: fi_info" in ask("_efa_unmet", (), {"unmet": ["fi_info -p efa shows 0 of 1 devices"]})
