# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is fetched before anything is changed, and a source that went away by then is what the message speaks of."""

from __future__ import annotations

import re

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, install, repository, transaction

WISH = {
    "source": "nvidia", "repository": "http://mirror/", "take_over": False, "packages": ["nvidia-driver-cuda"], "companions": [],
    "kernel_modules": False, "hold": True, "pins": None, "version": "580.95.05", "branch": None,
}  # fmt: skip
ACTIONS = [
    {"action": "install", "name": "libcuda1", "old": None, "new": "580.95.05-1"},
    {"action": "remove", "name": "nvidia-driver-pinning-580", "old": "580.126.09-1", "new": None},
]


class Gone(apt.Apt):
    """apt with a source that has lost its packages; ran: what it was asked for."""

    def __init__(self):
        super().__init__(self.answer)
        self.ran = []

    def answer(self, command, **unused):
        self.ran.append(" ".join(command))
        if "--download-only" in command:
            return 100, "Err:1 http://mirror libcuda1\n", "E: Failed to fetch http://mirror/a.deb  404  File not found\n"
        return 0, "", ""


class Change:
    """Stands in for transaction.Transaction."""

    def __init__(self, program, lists):
        pass

    def write(self, path, data, late=False):
        pass

    def undo(self):
        return [], []

    def start_again(self):
        return [], []


def test_a_source_that_is_gone_when_all_is_fetched(monkeypatch):
    monkeypatch.setattr(transaction, "Transaction", Change)
    decided = {"files_due": [repository.SOURCE], "settled": False, "off": {}, "listed": []}
    decided.update(kernel_packages=[], remove=[], kernels=[])
    seen = {"packages": {"nvidia-driver-pinning-580": {"version": "580.126.09-1"}}, "manifest": {"brought": ["nvidia-driver-pinning-580"]}}
    program = Gone()
    job = install.Install(WISH, dict(seen, running="6.1"), decided, program)
    job.picked, job.actions, job.key = {"nvidia-driver-cuda": "580.95.05-1"}, ACTIONS, b""
    with pytest.raises(install.Broken) as told:
        job.carry_out()
    assert str(told.value) == (
        "Driver 580.95.05 could not be installed (step: download):\n  E: Failed to fetch http://mirror/a.deb  404  File not found\n"
        "The host is as it was before (no package had changed). "
        "The package source is not what it was when this run chose from it, or has gone: mend it, then run this again."
    )
    assert re.search(r"--download-only install libcuda1=580\.95\.05-1 nvidia-driver-pinning-580-$", program.ran[-1])
    assert not [command for command in program.ran if "purge" in command or " install nvidia" in command], "something was changed before"


class Locked(Gone):
    """apt beside another one that does not end."""

    def answer(self, command, **unused):
        if command[-1] == "update":
            return 100, "", "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n"
        return super().answer(command, **unused)


def test_a_lock_is_not_blamed_on_the_source(monkeypatch):
    monkeypatch.setattr(transaction, "Transaction", Change)
    decided = {
        "files_due": [repository.SOURCE],
        "settled": False,
        "off": {},
        "listed": [],
        "kernel_packages": [],
        "remove": [],
        "kernels": [],
    }
    program = Locked()
    program.lock_timeout = 0
    job = install.Install(WISH, {"packages": {}, "manifest": {}, "running": "6.1"}, decided, program)
    job.picked, job.actions, job.key = {"nvidia-driver-cuda": "580.95.05-1"}, ACTIONS, b""
    with pytest.raises(install.Broken) as told:
        job.carry_out()
    assert "step: lists" in str(told.value) and str(told.value).endswith("wait until it has ended, then run this again.")
    assert "package source" not in str(told.value)
