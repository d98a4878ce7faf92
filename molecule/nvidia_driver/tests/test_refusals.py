# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses or undoes: one message with the reason and the next step, and a host that is as it was before."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from plays import failures, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]

# Rounds of wishes, each host another one.
ROUNDS = {
    "not to be had": {
        "nvidia-bookworm-0": {"nvidia_driver_version": "580.95.6"},
        "nvidia-trixie-0": {"nvidia_driver_branch": 590, "mlinfra_mirrors": {"nvidia": "http://127.0.0.1:9"}},
        "debian-bookworm-0": {
            "nvidia_driver_kernel_modules": True,
            "nvidia_driver_flavor": "proprietary",
            "nvidia_driver_version": "535.1.1",
        },
        "volta-0": {"nvidia_driver_branch": 590, "nvidia_driver_kernels": ["6.12.1-none"]},
    },
    "not a local repository": {
        "nvidia-bookworm-0": {"nvidia_driver_source": "local", "nvidia_driver_local_repository": "/srv/nowhere"},
        "nvidia-trixie-0": {"nvidia_driver_source": "local", "nvidia_driver_local_repository": "file:///etc"},
        "debian-bookworm-0": {"nvidia_driver_source": "local"},
        "volta-0": {
            "nvidia_driver_source": "local",
            "nvidia_driver_local_repository": "http://127.0.0.1:9/",
            "nvidia_driver_kernel_modules": False,
        },
    },
    "not to be built": {
        "nvidia-bookworm-0": {"nvidia_driver_version": "595.99.01"},
        "nvidia-trixie-0": {"nvidia_driver_branch": 595, "nvidia_driver_version": "595.99.02"},
        "debian-bookworm-0": {"nvidia_driver_kernel_modules": True, "nvidia_driver_flavor": "proprietary"},
        "volta-0": {"nvidia_driver_kernel_modules": False, "nvidia_driver_branch": 595, "nvidia_driver_keyring_sha256": "0" * 64},
    },
}
MESSAGES = {
    ("not to be had", "nvidia-bookworm-0"): [
        r"nvidia_driver_version is 580\.95\.6: NVIDIA's repository has no such nvidia-driver-cuda[^(]*\(there is: .*580\.95\.05",
        r"Choose one that it has",
    ],
    ("not to be had", "nvidia-trixie-0"): [
        r"http://127\.0\.0\.1:9/compute/cuda/repos/debian13/x86_64/cuda-keyring_1\.1-1_all\.deb cannot be fetched: .*Connection refused",
        r"Nothing was changed\. Check nvidia_driver_repository \(mlinfra_mirrors\.nvidia and mlinfra_proxy",
    ],
    ("not to be had", "debian-bookworm-0"): [
        r"nvidia_driver_version is 535\.1\.1: the distribution's sources have no such nvidia-smi[^(]*\(there is: 535\.",
    ],
    ("not to be had", "volta-0"): [
        r"nvidia_driver_flavor is open: this host has a volta GPU, and the open kernel modules begin with Turing\. Set it to proprietary\.",
        r"nvidia_driver_branch is 590: 580 is the last one that knows the volta GPU of this host\. Set it to 580 or lower\.",
    ],
    ("not a local repository", "nvidia-bookworm-0"): [r"^nvidia_driver_local_repository is /srv/nowhere: there is no such folder on this"],
    ("not a local repository", "nvidia-trixie-0"): [r"^nvidia_driver_local_repository is /etc: the folder has no Packages index; "],
    ("not a local repository", "debian-bookworm-0"): [r"^nvidia_driver_source is local, and nvidia_driver_local_repository is empty: "],
    ("not a local repository", "volta-0"): [r"^nvidia_driver_local_keyring is empty: the key that signs http://127\.0\.0\.1:9/ is not"],
    ("not to be built", "nvidia-bookworm-0"): [
        r"The kernel modules of driver 595\.99\.01 do not build for kernel 6\.1\.0-99-amd64:",
        r"Bad return status for module build",
        r"The host is as it was before \(.*packages set back to their version\)\. Choose another nvidia_driver_version",
    ],
    ("not to be built", "nvidia-trixie-0"): [
        r"Driver 595\.99\.02 could not be installed",
        r"nvidia-driver-cuda",
        r"The host is as it was before \(.*packages set back to their version\)\.",
    ],
    ("not to be built", "debian-bookworm-0"): [
        r"linux-headers-\S+ has no candidate: DKMS cannot build the driver for kernel \S+ without its headers\.",
        r"nvidia_driver_kernels, or set nvidia_driver_kernel_modules to false",
    ],
    ("not to be built", "volta-0"): [r"nvidia_driver_branch is 595: 580 is the last one that knows the volta GPU"],
}
HOSTS = sorted(next(iter(ROUNDS.values())))


def refusals(*arguments):
    """{host: message} of a run of the role that no host lets through."""
    done = play(SCENARIO, *arguments, SCENARIO / "refuse.yml")
    assert done.returncode == 2, done.stdout[-3000:] + done.stderr[-3000:]
    return failures(done.stdout)


def snapshots(tmp_path):
    """{host: what is on it}."""
    return {name: text.splitlines() for name, text in on_hosts(SCENARIO, HOSTS, {"cmd": str(SCENARIO / "snapshot.sh")}, tmp_path).items()}


@pytest.fixture(scope="module", params=sorted(ROUNDS))
def told(request, tmp_path_factory):
    """(round, messages, what was on the hosts before and after)."""
    folder = tmp_path_factory.mktemp("refusals")
    inventory = folder / "wishes.yml"
    inventory.write_text(json.dumps({"all": {"hosts": ROUNDS[request.param]}}))
    before = snapshots(folder)
    return request.param, refusals("-i", inventory), before, snapshots(folder)


@pytest.mark.parametrize("name", HOSTS)
def test_refused_with_the_reason_and_the_next_step(told, name):
    round_, messages, _, _ = told
    assert not [part for part in MESSAGES[round_, name] if not re.search(part, messages[name], re.DOTALL)], messages[name]


@pytest.mark.parametrize("name", HOSTS)
def test_host_is_as_before(told, name):
    _, _, before, after = told
    assert len(before[name]) > 100
    assert sorted(set(after[name]) ^ set(before[name])) == []


def test_platform_that_the_table_does_not_have():
    told = refusals("--limit", "volta-0", "-e", json.dumps({"_nvidia_driver_platforms": {"Plan-9": {}}}))
    assert told["volta-0"].startswith("volta-0 runs Debian 13: role nvidia_driver knows Plan-9. Use an image that has the driver")
