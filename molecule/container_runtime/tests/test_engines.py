# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each engine as its host shall run it."""

from __future__ import annotations

import json
import tomllib

import pytest

CRI = "io.containerd.grpc.v1.cri"
TOOLKIT = ["libnvidia-container-tools", "libnvidia-container1", "nvidia-container-toolkit", "nvidia-container-toolkit-base"]


@pytest.fixture
def wished(host):
    """How this host was set up."""
    pool = host.ansible.get_variables()["mlinfra_pool"]
    engine, suite = pool.split("-")
    return {"pool": pool, "engine": engine, "suite": suite, "gpu": pool != "containerd-trixie"}


def content(host, path):
    with host.sudo():
        return host.file(path).content_string


def daemon_json(host):
    return json.loads(content(host, "/etc/docker/daemon.json"))


def test_service_runs_and_starts_with_the_host(host, wished):
    assert host.system_info.codename == wished["suite"]
    service = host.service(wished["engine"])
    assert service.is_running and service.is_enabled


def test_a_container_ran_and_left_nothing(host, wished):
    proof = json.loads(content(host, f"/var/lib/mlinfra/container-{wished['engine']}.json"))
    major = {"docker-bookworm": "20.", "docker-trixie": "26.", "containerd-bookworm": "1.6.", "containerd-trixie": "1.7."}[wished["pool"]]
    assert proof["engine"] == wished["engine"] and proof["version"].startswith(major)
    with host.sudo():
        if wished["engine"] == "docker":
            assert host.check_output("docker images -q; docker ps -aq") == ""
        assert "mlinfra" not in host.check_output("ctr namespaces list -q")
        assert host.check_output("ls -A /tmp | grep mlinfra || true") == ""


def test_what_the_user_wrote_before_is_still_there(host, wished):
    if wished["pool"] != "docker-bookworm":
        return
    settings = daemon_json(host)
    assert settings["log-driver"] == "journald" and "log-opts" not in settings, "the user's own logging"
    assert settings["insecure-registries"] == ["registry.example.org:5000"]
    assert settings["labels"] == ["team=vision", "stage=test"] and "debug" not in settings, "changed, as container_runtime_daemon says"
    assert "debug" in content(host, "/etc/docker/daemon.json.mlinfra-original")
    with host.sudo():
        for name in ("daemon.json", "daemon.json.mlinfra-original"):
            file = host.file(f"/etc/docker/{name}")
            assert (file.group, file.mode) == ("adm", 0o640), name


def test_the_daemon_knows_its_settings(host, wished):
    if wished["engine"] == "containerd":
        with host.sudo():
            settings = tomllib.loads(host.check_output("containerd config dump"))
            plugins = host.check_output("ctr plugins list id==cri | tail -n 1")
        assert plugins.split()[-1] == "ok", plugins
        cri = settings["plugins"][CRI]
        assert settings["debug"]["level"] == "warn"
        assert cri["cni"]["bin_dir"] == "/usr/lib/cni", "from the package's own file"
        assert cri["registry"]["config_path"] == "/etc/containerd/certs.d"
        assert '[host."https://mirror.example.org"]' in content(host, "/etc/containerd/certs.d/docker.io/hosts.toml")
        return
    with host.sudo():
        info = json.loads(host.check_output("docker info --format '{{json .}}' 2>/dev/null"))
    assert info["LiveRestoreEnabled"] and sorted(info["Labels"]) == ["stage=test", "team=vision"]
    assert info["RegistryConfig"]["Mirrors"] == ["https://mirror.example.org/"]
    if wished["pool"] == "docker-trixie":
        assert daemon_json(host)["log-opts"] == {"max-size": "50m", "max-file": "3"}


def test_gpus_reach_containers(host, wished):
    held = host.check_output("apt-mark showhold").split()
    if not wished["gpu"]:
        assert not held and not host.package("nvidia-container-toolkit").is_installed
        return
    assert held == TOOLKIT
    assert {host.package(name).version for name in TOOLKIT} == {"1.18.1-1"}
    if wished["pool"] == "docker-trixie":
        settings = daemon_json(host)
        assert settings["features"] == {"cdi": True} and "runtimes" not in settings
    elif wished["pool"] == "docker-bookworm":
        with host.sudo():
            assert "nvidia" in host.check_output("docker info --format '{{json .Runtimes}}' 2>/dev/null"), "Docker 20.10 knows no CDI"
    else:
        with host.sudo():
            runtimes = tomllib.loads(host.check_output("containerd config dump"))["plugins"][CRI]["containerd"]["runtimes"]
        assert runtimes["nvidia"]["options"]["BinaryName"] == "/usr/bin/nvidia-container-runtime"
        assert "runc" in runtimes, "the default"


def test_users_may_use_docker(host, wished):
    if wished["engine"] == "docker":
        assert host.check_output("docker version --format '{{.Server.Version}}'"), "as admin, without sudo"
