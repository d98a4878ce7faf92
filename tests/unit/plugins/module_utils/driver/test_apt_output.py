# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt says, read."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, transaction

SIMULATED = """\
Reading package lists...
Inst libcuda1 [550.163.01-2] (580.95.05-1 NVIDIA:NVIDIA CUDA [amd64]) []
Inst dkms (3.0.10-8+deb12u1 Debian:12.15/oldstable [all])
Remv nvidia-smi [550.163.01-2]
Conf dkms (3.0.10-8+deb12u1 Debian:12.15/oldstable [all])
"""


def test_simulation():
    assert apt.planned(SIMULATED) == [
        {"action": "install", "name": "libcuda1", "old": "550.163.01-2", "new": "580.95.05-1"},
        {"action": "install", "name": "dkms", "old": None, "new": "3.0.10-8+deb12u1"},
        {"action": "remove", "name": "nvidia-smi", "old": "550.163.01-2", "new": None},
    ]


def test_policy_and_madison():
    policy = "dkms:\n  Installed: (none)\n  Candidate: 3.0\n  Version table:\nvirtual:\n  Installed: (none)\n  Candidate: (none)\n"
    assert apt.parse_policy(policy) == {"dkms": "3.0", "virtual": None}
    madison = "  dkms | 3.0 | http://x bookworm/main amd64 Packages\n  dkms | 2.9 | http://x y\nN: none\n"
    assert apt.parse_madison(madison) == {"dkms": ["3.0", "2.9"]}


def test_reasons():
    text = "Reading...\n x : Depends: y but it is not installable\nE: Unable to correct problems\nW: other\n"
    assert apt.reasons(text) == ["E: Unable to correct problems", "x : Depends: y but it is not installable"]
    assert apt.reasons("only\nthis\n") == ["only", "this"]


def test_difference_of_snapshots():
    def one(version):
        return {"version": version, "status": "installed", "held": False}

    before = {"same": one("1"), "moved": one("1"), "lost": one("1"), "settings": one(None), "lost_too": one("1")}
    after = {"same": one("1"), "moved": one("2"), "settings": one("1"), "new": one("1"), "half": one(None), "lost_too": one(None)}
    assert transaction.difference(before, after) == {
        "new": ["half", "new"],
        "changed": {"moved": "1"},
        "gone": {"lost": "1", "lost_too": "1"},
        "revived": ["settings"],
    }


def test_names_of_lists():
    assert transaction.lists_of("http://10.0.0.4:8080/nvidia/repos/debian12/x86_64/") == "10.0.0.4:8080_nvidia_repos_debian12_x86%5f64"


def test_what_cannot_be_fetched_is_told_with_the_reason():
    error = "E: Failed to fetch http://mirror/repo/a.deb  404  File not found"
    assert apt.reasons(f"Err:1 http://mirror/repo  libcuda1 580.95.05-1\n  404  File not found\n{error}\n") == [error]
    assert apt.reasons("Err:1 http://mirror/repo  InRelease\n") == ["Err:1 http://mirror/repo  InRelease"]


LISTS_LOCKED = (
    "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/\n"
)
ARCHIVES_LOCKED = "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 7 (apt)\n"


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, monkeypatch):
        self.now = 0
        monkeypatch.setattr(apt.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(apt.time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds


def apt_of(answers, ran, **other):
    def run(command, **unused):
        ran.append(command)
        return answers[min(len(ran), len(answers)) - 1]

    return apt.Apt(run, **other)


@pytest.mark.parametrize("said", [LISTS_LOCKED, ARCHIVES_LOCKED])
def test_lock_that_another_apt_lets_go(monkeypatch, said):
    ran, clock = [], Clock(monkeypatch)
    assert apt_of([(100, "", said), (100, "", said), (0, "done", "")], ran, lock_timeout=20).get("lists", "update") == "done"
    assert clock.now == 4 and len(ran) == 3
    # What is left of the time is all that dpkg's own lock is waited for.
    assert [one for command in ran for one in command if "Timeout=" in one and "Lock" in one] == [
        "DPkg::Lock::Timeout=%d" % left for left in (20, 18, 16)
    ]


def test_lock_that_is_held_for_longer(monkeypatch):
    ran, clock = [], Clock(monkeypatch)
    with pytest.raises(apt.Failed) as failed:
        apt_of([(100, "", LISTS_LOCKED)], ran, lock_timeout=20).get("lists", "update")
    assert clock.now == 20 and len(ran) == 11
    assert "wait until it has ended" in apt.waiting(failed.value.output)


@pytest.mark.parametrize(
    "said",
    [
        "E: Failed to fetch http://mirror/a.deb  404  Not Found\n",
        # The script of a package that is being set up: apt-get is not run over it again.
        "Setting up driver (1) ...\nE: Could not get lock /var/lib/dpkg/lock-frontend\n",
    ],
)
def test_other_failures_are_told_at_once(monkeypatch, said):
    ran, clock = [], Clock(monkeypatch)
    with pytest.raises(apt.Failed):
        apt_of([(100, said, "")], ran).install("driver", ["nvidia-smi"])
    assert len(ran) == 1 and clock.now == 0 and apt.waiting(said) == ""
