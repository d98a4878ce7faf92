# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of what the daemon is run with, while a container runs; and a password that nobody gets to see."""

from __future__ import annotations

import json

import pytest

HOST = "docker-trixie-0"
SECRET = "s3cret-of-the-proxy"
# By hand, after the role had its turn; nobody told the daemon.
EDIT = """python3 - <<'END'
import json
path = "/etc/docker/daemon.json"
settings = json.load(open(path))
settings["max-concurrent-uploads"] = 2
json.dump(settings, open(path, "w"))
END
"""
SLEEPER = """
set -e
tar -chf - /usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*') 2>/dev/null >/run/sleeper.tar
docker import --change 'CMD ["/usr/bin/sleep", "900"]' /run/sleeper.tar sleeper:1
rm /run/sleeper.tar
touch /run/nvidia0
docker run --detach --name sleeper --network none $VOLUMES sleeper:1
"""
# Only what a container's mounts tell: no GPU is here, and no driver.
LIKE_A_GPU = "VOLUMES='--volume /run/nvidia0:/dev/nvidia0'"


@pytest.fixture
def sleeper(host):
    """When the container was started; it is gone afterwards."""
    if host.ansible.get_variables()["inventory_hostname"] != HOST:
        pytest.skip(f"only on {HOST}")
    with host.sudo():
        host.run_expect([0], SLEEPER)
        yield started(host)
        host.run("docker rm --force sleeper; docker rmi sleeper:1")


@pytest.fixture
def with_gpu(host):
    """A container that has what NVIDIA's runtime would mount into it."""
    if host.ansible.get_variables()["inventory_hostname"] != HOST:
        pytest.skip(f"only on {HOST}")
    with host.sudo():
        host.run_expect([0], LIKE_A_GPU + SLEEPER)
        yield started(host)
        host.run("docker rm --force sleeper; docker rmi sleeper:1")


def started(host):
    return host.check_output("docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' sleeper")


def test_a_restart_waits_for_containers_with_gpus(host, with_gpu, refusals):
    daemon = {"container_runtime_daemon": {"ipv6": False, "labels": ["team=other"]}}
    before = host.file("/etc/docker/daemon.json").content_string
    message = refusals("--limit", HOST, "-e", json.dumps(daemon))[HOST]
    assert "docker.service must be restarted for ipv6, labels, and 1 running container has GPUs" in message
    assert "container_runtime_interrupt" in message
    assert host.file("/etc/docker/daemon.json").content_string == before and started(host) == with_gpu


def test_a_restart_that_waited_comes_with_the_next_run(host, with_gpu, refusals, converge):
    """Whoever tells systemd to read its files meanwhile: every package with a unit does."""
    wish = ("--limit", HOST, "-e", json.dumps({"mlinfra_proxy": "http://127.0.0.1:3129"}))
    files = "/etc/docker/mlinfra-proxy.env, /etc/systemd/system/docker.service.d/mlinfra-proxy.conf"
    environment = "tr '\\0' '\\n' </proc/$(systemctl show --property MainPID --value docker)/environ"
    for _time in range(2):
        message = refusals(*wish)[HOST]
        assert f"docker.service must be restarted for {files}, and 1 running container has GPUs" in message
        assert "Its settings were not changed" in message and host.run(f"ls {files.replace(',', '')}").stdout == ""
        host.run_expect([0], "systemctl daemon-reload")
        assert started(host) == with_gpu and "3129" not in host.check_output(environment)
    host.run_expect([0], "docker rm --force sleeper")
    done = converge(*wish)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "HTTPS_PROXY=http://127.0.0.1:3129" in host.check_output(environment)
    again = converge(*wish)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout[-3000:]
    # A run that was killed between its files and the restart: the note of it is of the process that runs.
    began = "systemctl show --property ExecMainStartTimestampMonotonic --value docker"
    before = host.check_output(began)
    host.run_expect([0], f"mkdir -p /run/mlinfra && printf %s {before} >/run/mlinfra/restart-docker.service")
    assert converge(*wish).returncode == 0 and host.check_output(began) != before
    assert not host.file("/run/mlinfra/restart-docker.service").exists
    assert converge("--limit", HOST).returncode == 0 and "3129" not in host.check_output(environment)


# The names alone (docker.io conflicts with one): what they bring is on the host from the distribution.
DOCKER_CE = """
set -e
for name in docker-ce docker-ce-cli containerd.io; do
    mkdir -p /run/ce/DEBIAN
    printf "Package: $name\\nVersion: 5:29.1.0-1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n" >/run/ce/DEBIAN/control
    dpkg-deb --build /run/ce /run/ce.deb >/dev/null
    dpkg --force-conflicts --install /run/ce.deb >/dev/null 2>&1
done
rm -r /run/ce /run/ce.deb
"""


def test_an_installed_docker_ce_is_the_engine(host, converge):
    if host.ansible.get_variables()["inventory_hostname"] != HOST:
        pytest.skip(f"only on {HOST}")
    with host.sudo():
        host.run_expect([0], DOCKER_CE)
        try:
            again = converge("--limit", HOST)
            assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout[-3000:]
            done = converge("--limit", HOST, "-e", json.dumps({"container_runtime_daemon": {"debug": None, "labels": ["of=ce"]}}))
            assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout[-3000:]
            assert host.check_output("docker info --format '{{json .Labels}}' 2>/dev/null") == '["of=ce"]'
        finally:
            host.run_expect([0], "dpkg --purge docker-ce docker-ce-cli containerd.io")
            back = converge("--limit", HOST)
        assert back.returncode == 0


def test_a_toolkit_whose_packages_vanish_in_mid_run(host, refusals, on_mirror):
    if host.ansible.get_variables()["inventory_hostname"] != HOST:
        pytest.skip(f"only on {HOST}")
    folder = on_mirror("dirname $(find /srv -name 'nvidia-container-toolkit_1.19.0*.deb' | head -n 1)").split()[-1]
    aside = folder.rstrip("/") + "-unplugged"
    on_mirror(f"mkdir {aside}; mv {folder}/*1.19.0* {aside}/")
    try:
        message = refusals("--limit", HOST, "-e", "container_runtime_nvidia_version=1.19.0")[HOST]
    finally:
        on_mirror(f"mv {aside}/* {folder}/; rmdir {aside}")
    assert "1.19.0" in message and "nvidia-container-toolkit" in message
    versions = host.check_output("dpkg-query --show --showformat '${Version} ${Status}\n' nvidia-container-toolkit libnvidia-container1")
    assert set(versions.splitlines()) == {"1.18.1-1 hold ok installed"}, "all as before, and held"


def test_a_proxy_comes_and_goes(host, sleeper, converge):
    host.run_expect([0], EDIT)
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

    done = converge("--limit", HOST)
    assert done.returncode == 0, done.stdout[-3000:]
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["max-concurrent-uploads"] == 2, "what was written after us"
    assert not file.exists and not host.file("/etc/systemd/system/docker.service.d/mlinfra-proxy.conf").exists
    assert json.loads(host.check_output("docker info --format '{{json .}}' 2>/dev/null"))["HttpProxy"] == ""
    assert started(host) == sleeper
