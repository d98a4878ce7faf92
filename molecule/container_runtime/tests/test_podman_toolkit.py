# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman 4 on a host that gets the toolkit without a wish for a version: the newest that it can read, though a newer one is offered."""

from __future__ import annotations

import json

import pytest

HOST = "podman-bookworm-0"
TOOLKIT = "nvidia-container-toolkit nvidia-container-toolkit-base libnvidia-container-tools libnvidia-container1"
NONE_AGAIN = f"""
apt-mark unhold {TOOLKIT}
DEBIAN_FRONTEND=noninteractive apt-get purge -q -y {TOOLKIT}
rm -f /etc/apt/preferences.d/mlinfra-nvidia-container /etc/apt/sources.list.d/nvidia-container-toolkit.list*
rm -f /usr/share/keyrings/nvidia-container-toolkit-keyring.asc /var/lib/mlinfra/container-podman-image.json
"""


@pytest.fixture
def podman(host):
    if host.ansible.get_variables()["inventory_hostname"] != HOST:
        pytest.skip(f"only on {HOST}")
    with host.sudo():
        yield host
        host.run_expect([0], NONE_AGAIN)


def test_the_newest_that_it_can_read(podman, converge):
    wish = json.dumps({"mlinfra_gpu_target": ["h100"], "container_runtime_nvidia_version": None})
    done = converge("--limit", HOST, "-e", wish)
    assert done.returncode == 0, done.stdout[-3000:]
    versions = podman.check_output("dpkg-query --show --showformat '${Version} ${Status}\n' " + TOOLKIT).splitlines()
    assert versions == ["1.19.0-1 hold ok installed"] * 4
    assert "1.99.0-1" in podman.check_output("apt-cache madison nvidia-container-toolkit"), "which is newer, and which it cannot read"
    again = converge("--limit", HOST, "-e", wish)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout[-3000:]
