# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images go to a registry (docker-registry of Debian, on the mirror host) and come back by digest, and by the mirror of Docker Hub."""

from __future__ import annotations

import json
import re

import pytest

MAKE = """
set -e
tar -chf /run/proof.tar /usr/bin/sha256sum $(ldd /usr/bin/sha256sum | grep -o '/[^ ]*') 2>/dev/null || true
docker import --change 'CMD ["/usr/bin/sha256sum", "/usr/bin/sha256sum"]' /run/proof.tar {0}/team/proof:1 >/dev/null
docker tag {0}/team/proof:1 {0}/library/mlinfra-proof:1
docker push --quiet {0}/library/mlinfra-proof:1 >/dev/null
docker push {0}/team/proof:1 | grep -o 'sha256:[0-9a-f]*' | tail -n 1
docker rmi {0}/team/proof:1 {0}/library/mlinfra-proof:1 >/dev/null
sha256sum /usr/bin/sha256sum
"""
# by digest, run, push under a name of one's own; then as Docker Hub's, which only the mirror has
SAME = """
set -e
{engine} pull --quiet {image} >/dev/null
{engine} run --rm --network none {image}
{engine} tag {image} {registry}/team/{name}:2
{engine} push --quiet {registry}/team/{name}:2 >/dev/null
{engine} pull --quiet docker.io/library/mlinfra-proof:1 >/dev/null
{engine} run --name proof --network none docker.io/library/mlinfra-proof:1
"""
CTR = """
set -e
hosts='--hosts-dir /etc/containerd/certs.d'
ctr images pull $hosts {image} >/dev/null
ctr run --rm --cpu-shares 0 {image} proof
ctr images tag {image} {registry}/team/{name}:2 >/dev/null
ctr images push $hosts {registry}/team/{name}:2 >/dev/null
ctr images pull $hosts docker.io/library/mlinfra-proof:1 >/dev/null
ctr run --rm --cpu-shares 0 docker.io/library/mlinfra-proof:1 proof
"""
CLEAN = {
    "docker": "docker rm --force proof; docker rmi --force $(docker images -q)",
    "podman": "podman rm --force proof waits; podman rmi --force --all",
    "containerd": "ctr images remove --sync $(ctr images list -q)",
}


@pytest.fixture(scope="session")
def pushed(on, registry):
    """(digest of the image, what it prints)"""
    text = on("docker-trixie-0", MAKE.format(registry))
    return re.search(r"^sha256:[0-9a-f]{64}$", text, re.M).group(), re.search(r"^[0-9a-f]{64}", text, re.M).group()


@pytest.fixture
def engine(host):
    """Its name on this host, as root; its images are gone afterwards."""
    name = host.ansible.get_variables()["mlinfra_pool"].split("-")[0]
    with host.sudo():
        yield name
        host.run(CLEAN[name])


def test_images_go_and_come(host, engine, pushed, registry, on):
    digest, printed = pushed
    name = host.ansible.get_variables()["mlinfra_pool"]
    script = (CTR if engine == "containerd" else SAME).format(
        engine=engine, registry=registry, image=f"{registry}/team/proof@{digest}", name=name
    )
    done = host.run(script)
    assert done.rc == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if "/usr/bin/sha256sum" in line] == [printed, printed]
    tags = json.loads(on("mirror-0", f"curl -sf http://127.0.0.1:5000/v2/team/{name}/tags/list"))
    assert tags["tags"] == ["2"], "pushed from here"
    if engine == "docker":
        logs = json.loads(host.check_output("docker inspect --format '{{json .HostConfig.LogConfig}}' proof"))
        limited = {"Type": "json-file", "Config": {"max-size": "50m", "max-file": "3"}}
        assert logs == (limited if name == "docker-trixie" else {"Type": "journald", "Config": {}})
    elif name == "podman-bookworm":
        assert host.check_output("podman inspect --format '{{.HostConfig.LogConfig.Type}}' proof") == "k8s-file"
        # podman shows no default of the size there; what keeps the log is told of it
        host.run_expect([0], "podman run --detach --interactive --name waits --network none docker.io/library/mlinfra-proof:1 sha256sum")
        keeper = host.check_output("ps -eo args | grep '[c]onmon.*waits'")
        assert "--log-size-max 52428800" in keeper
