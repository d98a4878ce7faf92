# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each engine as its host shall run it."""

from __future__ import annotations

import json
import tomllib

import pytest

CRI = "io.containerd.grpc.v1.cri"
MAJOR = {
    "docker-bookworm": "20.", "docker-trixie": "26.", "containerd-bookworm": "1.6.", "containerd-trixie": "1.7.",
    "podman-bookworm": "4.", "podman-trixie": "5.",
}  # fmt: skip
DEV_CHAR = "/etc/udev/rules.d/71-mlinfra-nvidia-dev-char.rules"
TOOLKIT = ["libnvidia-container-tools", "libnvidia-container1", "nvidia-container-toolkit", "nvidia-container-toolkit-base"]


@pytest.fixture
def wished(host):
    """How this host was set up."""
    pool = host.ansible.get_variables()["mlinfra_pool"]
    engine, suite = pool.split("-")
    return {"pool": pool, "engine": engine, "suite": suite, "gpu": pool not in ("containerd-trixie", "podman-bookworm")}


def content(host, path):
    with host.sudo():
        return host.file(path).content_string


def daemon_json(host):
    return json.loads(content(host, "/etc/docker/daemon.json"))


def test_service_runs_and_starts_with_the_host(host, wished):
    assert host.system_info.codename == wished["suite"]
    if wished["engine"] == "podman":
        return  # it has no daemon
    service = host.service(wished["engine"])
    assert service.is_running and service.is_enabled


def test_a_container_ran_and_left_nothing(host, wished):
    proof = json.loads(content(host, f"/var/lib/mlinfra/container-{wished['engine']}.json"))
    assert proof["engine"] == wished["engine"] and proof["version"].startswith(MAJOR[wished["pool"]])
    with host.sudo():
        if wished["engine"] == "containerd":
            assert "mlinfra" not in host.check_output("ctr namespaces list -q")
        else:
            assert "mlinfra" not in host.check_output("{0} images; {0} ps -a".format(wished["engine"]))
        assert host.check_output("ls -A /tmp | grep mlinfra || true") == ""


def test_what_podmans_user_wrote_before_is_still_there(host, wished):
    if wished["engine"] != "podman":
        return
    theirs = content(host, "/etc/containers/containers.conf")
    assert theirs.startswith("# what the team agreed on") and 'cgroups = "disabled"' in theirs
    assert "registry.example.org" in content(host, "/etc/containers/registries.conf.d/team.conf")
    ours = tomllib.loads(content(host, "/etc/containers/containers.conf.d/99-mlinfra.conf"))
    logs = {"containers": {"log_driver": "k8s-file", "log_size_max": 52428800}} if wished["pool"] == "podman-bookworm" else {}
    assert ours == {**logs, "engine": {"num_locks": 4096}}, "no word of logs where the user has one"
    with host.sudo():
        known = host.check_output("podman info --format '{{json .Registries}}'")
    assert "registry.example.org:5000" in known and "docker.io" in known


def test_data_root(host, wished):
    root = "/var/lib/containers/" + wished["pool"]
    ask = {
        "docker": "docker info --format '{{.DockerRootDir}}' 2>/dev/null",
        "containerd": "containerd config dump | sed -n 's/^root = //p' | tr -d '\"'",
        "podman": "podman info --format '{{.Store.GraphRoot}}'",
    }
    with host.sudo():
        assert host.check_output(ask[wished["engine"]]) == root
        assert host.check_output(f"ls -A {root}")


def test_nobody_needs_a_password_for_ecr(host, wished):
    helpers = {"123456789012.dkr.ecr.us-east-1.amazonaws.com": "ecr-login"}
    with host.sudo():
        for name in ["root", "admin"] if wished["engine"] == "docker" else ["root"]:
            file = host.file(f"{host.user(name).home}/.docker/config.json")
            assert json.loads(file.content_string) == {"credHelpers": helpers}
            assert (file.user, file.mode) == (name, 0o600)
    assert host.run("docker-credential-ecr-login version").rc == 0


def test_what_the_user_wrote_before_is_still_there(host, wished):
    if wished["pool"] != "docker-bookworm":
        return
    settings = daemon_json(host)
    assert settings["log-driver"] == "journald" and "log-opts" not in settings, "the user's own logging"
    assert settings["insecure-registries"][0] == "registry.example.org:5000" and len(settings["insecure-registries"]) == 2
    assert settings["labels"] == ["team=vision", "stage=test"] and "debug" not in settings, "changed, as container_runtime_daemon says"
    assert "debug" in content(host, "/etc/docker/daemon.json.mlinfra-original")
    with host.sudo():
        for name in ("daemon.json", "daemon.json.mlinfra-original"):
            file = host.file(f"/etc/docker/{name}")
            assert (file.group, file.mode) == ("adm", 0o640), name


def test_the_daemon_knows_its_settings(host, wished, registry):
    if wished["engine"] == "podman":
        return
    if wished["engine"] == "containerd":
        with host.sudo():
            settings = tomllib.loads(host.check_output("containerd config dump"))
            plugins = host.check_output("ctr plugins list id==cri | tail -n 1")
        assert plugins.split()[-1] == "ok", plugins
        cri = settings["plugins"][CRI]
        assert settings["debug"]["level"] == "warn"
        assert cri["cni"]["bin_dir"] == "/usr/lib/cni", "from the package's own file"
        assert cri["registry"]["config_path"] == "/etc/containerd/certs.d"
        assert f'[host."http://{registry}"]' in content(host, "/etc/containerd/certs.d/docker.io/hosts.toml")
        return
    with host.sudo():
        info = json.loads(host.check_output("docker info --format '{{json .}}' 2>/dev/null"))
    assert info["LiveRestoreEnabled"] and sorted(info["Labels"]) == ["stage=test", "team=vision"]
    assert info["RegistryConfig"]["Mirrors"] == [f"http://{registry}/"]
    if wished["pool"] == "docker-trixie":
        assert daemon_json(host)["log-opts"] == {"max-size": "50m", "max-file": "3"}


def test_gpus_reach_containers(host, wished):
    held = host.check_output("apt-mark showhold").split()
    if not wished["gpu"]:
        assert not held and not host.package("nvidia-container-toolkit").is_installed
        return
    assert held == TOOLKIT
    assert {host.package(name).version for name in TOOLKIT} == {"1.18.1-1"}
    policy = host.check_output("apt-cache policy nvidia-container-toolkit libnvidia-container1")
    assert policy.count("Candidate: 1.18.1-1") == 2 and "1.19.0-1" in policy, "pinned, though a newer one is there"
    legacy = wished["pool"] in ("docker-bookworm", "containerd-bookworm")
    linked = legacy or wished["engine"] == "docker"
    assert host.file(DEV_CHAR).exists == linked, "links to the devices, where containers would lose them"
    if wished["engine"] == "podman":
        return
    if linked:
        assert "nvidia-ctk system create-dev-char-symlinks --create-all" in content(host, DEV_CHAR)
    if wished["pool"] == "docker-trixie":
        settings = daemon_json(host)
        assert settings["features"] == {"cdi": True}
        assert settings["runtimes"] == {"nvidia": {"path": "nvidia-container-runtime", "args": []}}, "for --gpus and --runtime nvidia"
        with host.sudo():
            assert "nvidia" in host.check_output("docker info --format '{{json .Runtimes}}' 2>/dev/null")
    elif wished["pool"] == "docker-bookworm":
        with host.sudo():
            assert "nvidia" in host.check_output("docker info --format '{{json .Runtimes}}' 2>/dev/null"), "Docker 20.10 knows no CDI"
    elif wished["engine"] == "containerd":
        with host.sudo():
            runtimes = tomllib.loads(host.check_output("containerd config dump"))["plugins"][CRI]["containerd"]["runtimes"]
        assert runtimes["nvidia"]["options"]["BinaryName"] == "/usr/bin/nvidia-container-runtime"
        assert "runc" in runtimes, "the default"


def test_users_may_use_docker(host, wished):
    if wished["engine"] == "docker":
        assert host.check_output("docker version --format '{{.Server.Version}}'"), "as admin, without sudo"
