# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`nvidia-ctk runtime configure` and the role write the same daemon.json: neither takes from it what the other or its owner wrote."""

from __future__ import annotations

import json

import pytest

PATH = "/etc/docker/daemon.json"
# systemd lets nobody restart it more often than three times a minute.
RESTART = "systemctl reset-failed docker; systemctl restart docker"
# What the program writes by itself.
ENTRY = {"args": [], "path": "nvidia-container-runtime"}


@pytest.fixture
def docker(host):
    """The host, when it is one of docker's."""
    if not host.ansible.get_variables()["mlinfra_pool"].startswith("docker-"):
        pytest.skip("only where docker is")
    with host.sudo():
        yield host


def settings(host, path=PATH):
    return json.loads(host.file(path).content_string)


def runtimes(host):
    return json.loads(host.check_output("docker info --format '{{json .Runtimes}}' 2>/dev/null"))


def test_it_came_before_the_role(docker):
    """create.yml has it so on one host: the daemon has the runtimes of both."""
    if docker.ansible.get_variables()["mlinfra_pool"] != "docker-bookworm":
        pytest.skip("there was no daemon.json before the role")
    theirs = {"nvidia": ENTRY, "team": {"path": "/usr/bin/nvidia-container-runtime"}}
    assert settings(docker)["runtimes"] == theirs == settings(docker, PATH + ".mlinfra-original")["runtimes"]
    assert {"nvidia", "team"} <= set(runtimes(docker))


def test_it_comes_after_the_role(docker, converge):
    name = docker.ansible.get_variables()["inventory_hostname"]
    before = settings(docker)
    docker.run_expect([0], f"nvidia-ctk runtime configure --runtime=docker && {RESTART}")
    written = settings(docker)
    assert written == {**before, "runtimes": {**before.get("runtimes", {}), "nvidia": ENTRY}}
    done = converge("--limit", name, "--diff")
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout[-3000:]
    assert settings(docker) == written and "nvidia" in runtimes(docker)
    # As the other tests know it.
    docker.run_expect([0], f"cat >{PATH} <<'END'\n{json.dumps(before, indent=2)}\nEND\n{RESTART}")
    assert settings(docker) == before
