# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of what the daemon is run with, while a container runs; and a password that nobody gets to see."""

from __future__ import annotations

import json

import pytest

HOST = "docker-trixie-0"
SECRET = "s3cret-of-the-proxy"
SLEEPER = """
set -e
tar -chf - /usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*') 2>/dev/null >/run/sleeper.tar
docker import --change 'CMD ["/usr/bin/sleep", "900"]' /run/sleeper.tar sleeper:1
rm /run/sleeper.tar
docker run --detach --name sleeper --network none sleeper:1
"""


@pytest.fixture
def sleeper(host):
    """When the container was started; it is gone afterwards."""
    if host.ansible.get_variables()["inventory_hostname"] != HOST:
        pytest.skip(f"only on {HOST}")
    with host.sudo():
        host.run_expect([0], SLEEPER)
        yield started(host)
        host.run("docker rm --force sleeper; docker rmi sleeper:1")


def started(host):
    return host.check_output("docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' sleeper")


def test_a_proxy_comes_and_goes(host, sleeper, converge):
    done = converge("--limit", HOST, "-vvv", "--diff", "-e", json.dumps({"mlinfra_proxy": f"http://me:{SECRET}@127.0.0.1:3128"}))
    assert done.returncode == 0, done.stdout[-3000:]
    assert SECRET not in done.stdout + done.stderr
    info = json.loads(host.check_output("docker info --format '{{json .}}' 2>/dev/null"))
    assert info["HttpProxy"].endswith("@127.0.0.1:3128") and "169.254.169.254" in info["NoProxy"]
    assert started(host) == sleeper, "the container went on over the restart"
    file = host.file("/etc/docker/mlinfra-proxy.env")
    assert (file.user, file.mode) == ("root", 0o600) and SECRET in file.content_string
    for command in ("systemctl cat docker", "systemctl show docker", "ps axww", "journalctl --no-pager", "cat /etc/docker/daemon.json"):
        seen = [line for line in host.check_output(command).splitlines() if SECRET in line and "sudo" not in line]
        assert not seen, command

    assert converge("--limit", HOST).returncode == 0
    assert not file.exists and not host.file("/etc/systemd/system/docker.service.d/mlinfra-proxy.conf").exists
    assert json.loads(host.check_output("docker info --format '{{json .}}' 2>/dev/null"))["HttpProxy"] == ""
    assert started(host) == sleeper
