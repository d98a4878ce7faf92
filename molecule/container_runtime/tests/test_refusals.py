# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses: a message with the value and the next step, and a host that is left as it was."""

from __future__ import annotations

import json
import re

import pytest

# Each host gets another value that cannot work.
WISHES = {
    "docker-bookworm-0": {"container_runtime_daemon": {"nonsense": 1}},
    "docker-trixie-0": {"container_runtime_daemon": {"hosts": ["unix:///run/other.sock"]}, "container_runtime_nvidia": "none"},
    "containerd-bookworm-0": {"container_runtime_nvidia_mode": "cdi"},
    "containerd-trixie-0": {"container_runtime_free_mib": 99999999},
    "podman-bookworm-0": {"container_runtime_data_root": "/var/lib/containers/other"},
    "podman-trixie-0": {"container_runtime_nvidia_version": "1.19.0"},
}
# What makes two of them not work, and what takes it away again: an image in the present data root; a toolkit that somebody else holds.
OURS = "/etc/apt/preferences.d/mlinfra-nvidia-container /usr/share/keyrings/nvidia-container-toolkit-keyring.asc"
BEFORE = {
    "podman-bookworm-0": "tar -cf - /etc/hostname 2>/dev/null | podman import - localhost/kept:1",
    "podman-trixie-0": f"mkdir /run/aside; mv {OURS} /run/aside/",
}
AFTER = {
    "podman-bookworm-0": "podman rmi localhost/kept:1",
    "podman-trixie-0": "cd /run/aside; mv mlinfra-* /etc/apt/preferences.d/; mv *.asc /usr/share/keyrings/; rmdir /run/aside",
}
MESSAGES = {
    "docker-bookworm-0": [
        r"/etc/docker/daemon\.json would not be taken by dockerd: the following directives .* option: nonsense\. Nothing"
    ],
    "docker-trixie-0": [r"specified both as a flag and in the configuration file: hosts", r"drop-in of docker\.service"],
    "containerd-bookworm-0": [r"mode is cdi: it wants Docker 25, containerd 1\.7.*has containerd 1\.6\.20 and toolkit 1\.18\.1\. Set it"],
    "podman-bookworm-0": [r"data root is /var/lib/containers/podman-bookworm, and /var/lib/containers/other", r"rsync -aHAXS"],
    "podman-trixie-0": [r"holds the NVIDIA Container Toolkit at 1\.18\.1-1, and version 1\.19\.0 is wished\. Release it \(apt-mark unhold"],
    "containerd-trixie-0": [r"/var/lib/containers/containerd-trixie.*99999999 MiB", r"container_runtime_data_root"],
}


@pytest.fixture(scope="module")
def told(tmp_path_factory, refusals, on):
    inventory = tmp_path_factory.mktemp("refusals") / "wishes.yml"
    inventory.write_text(json.dumps({"all": {"hosts": WISHES}}))
    for name, script in BEFORE.items():
        on(name, script)
    try:
        return refusals("-i", inventory)
    finally:
        for name, script in AFTER.items():
            on(name, script)


@pytest.mark.parametrize("name", sorted(WISHES))
def test_refused_with_the_reason_and_the_next_step(told, name):
    assert not [part for part in MESSAGES[name] if not re.search(part, told[name])], told[name]


def test_daemons_run_as_before(told, host):
    engine = host.ansible.get_variables()["mlinfra_pool"].split("-")[0]
    assert engine == "podman" or host.service(engine).is_running
    if engine == "docker":
        with host.sudo():
            settings = json.loads(host.file("/etc/docker/daemon.json").content_string)
            assert "nonsense" not in settings and "hosts" not in settings
