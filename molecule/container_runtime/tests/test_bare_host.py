# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without an engine (the scenario's mirror) that shall not get one: refused before anything is installed."""

from __future__ import annotations

import json

import pytest

# A package as another source would have it.
RIVAL = """
mkdir -p /run/rival/DEBIAN
printf 'Package: podman-docker\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' >/run/rival/DEBIAN/control
dpkg-deb --build /run/rival /run/rival.deb >/dev/null && dpkg --install /run/rival.deb >/dev/null && rm -r /run/rival /run/rival.deb
"""


@pytest.fixture
def refused(tmp_path, refusals, on_mirror):
    """refused(**variables) -> the message."""

    def message(**variables):
        inventory = tmp_path / "bare.yml"
        variables = {"container_runtime_nvidia": "none", **variables}
        inventory.write_text(json.dumps({"engines": {"hosts": {"mirror-0": variables}}}))
        return refusals("--limit", "mirror-0", "-i", inventory)["mirror-0"]

    yield message
    status = on_mirror("dpkg-query --show --showformat '[${Status}]' docker.io containerd podman 2>/dev/null || true")
    assert "installed" not in status.replace("not-installed", "")


def test_a_file_that_is_not_json(refused, on_mirror):
    on_mirror("mkdir -p /etc/docker; printf '{\\n  \"debug\": true,\\n}\\n' >/etc/docker/daemon.json")
    assert "/etc/docker/daemon.json, line 3, column 1 is not JSON" in refused()
    assert "true,\n}" in on_mirror("cat /etc/docker/daemon.json; rm /etc/docker/daemon.json")


def test_a_rival(refused, on_mirror):
    on_mirror(RIVAL)
    message = refused()
    on_mirror("dpkg --purge podman-docker >/dev/null")
    assert "mirror-0 has podman-docker installed, which stands in the way of docker.io. Remove it (apt-get remove podman-docker" in message


def test_a_data_root_without_overlay(refused):
    message = refused(container_runtime_data_root="/srv/docker")
    assert "data-root is /srv/docker, on a file system of type overlay" in message and "container_runtime_data_root" in message


def test_a_user_that_is_not_there(refused):
    assert "container_runtime_users: there is no user nobody-here on mirror-0. Make them first" in refused(
        container_runtime_users=["nobody-here"]
    )


def test_a_port_that_is_taken(refused):
    message = refused(container_runtime_daemon={"hosts": ["fd://", "tcp://0.0.0.0:22"]})
    assert "container_runtime_daemon.hosts is 22: sshd" in message


def test_a_toolkit_that_podman_could_not_read(refused):
    message = refused(
        container_runtime_engine="podman", container_runtime_nvidia="auto", mlinfra_gpu_target=["h100"], container_runtime_data_root=None,
        container_runtime_nvidia_version="1.99.0", container_runtime_registries=[], container_runtime_registry_mirrors=[],
    )  # fmt: skip
    assert "mirror-0: podman before 5 cannot read the CDI specification that the toolkit writes from 1.19.1 on" in message
    assert "has podman 4.3.1 and toolkit 1.99.0. Set container_runtime_nvidia_version to 1.18.1" in message
