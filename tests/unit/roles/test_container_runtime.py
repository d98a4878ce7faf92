# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container_runtime decides in its variables: which files and packages an engine wants on a host, and what is refused."""

from __future__ import annotations

import functools

import pytest
from ansible.template import trust_as_template

STORE = "/etc/mlinfra/instance_store.json"
UNIT = "mlinfra-instance-store.service"
DROP_IN = "/etc/systemd/system/%s.service.d/mlinfra-instance-store.conf"
CE = {"docker-ce": "5:29.1.0-1~debian.12~bookworm", "docker-ce-cli": "5:29.1.0-1~debian.12~bookworm", "containerd.io": "1.7.28-1"}
NO_PACKAGE = {"version": None, "status": "not-installed", "held": False}


@pytest.fixture(scope="module")
def asked(value_of):
    """Function (engine) -> names of packages and paths that the role asks the host for."""

    @functools.cache
    def of(engine):
        both = trust_as_template("{{ [_container_runtime_looked_for, _container_runtime_paths] }}")
        known = {"container_runtime_engine": engine, "_container_runtime_noted": {}}
        return value_of("container_runtime", "_both", _both=both, **known)

    return of


@pytest.fixture
def runtime(value_of, asked):
    """Function (variable, platform, state of the instance store's unit, None for a host without, settings) -> value."""

    def value(name, platform="Debian-12", store=None, packages=(), version="1", **settings):
        known = {"inventory_hostname": "h1", "ansible_facts": {}, "ansible_check_mode": False, **settings}
        given = {"platform_names": [platform], "distribution": platform[:-3], "distribution_major_version": platform[-2:]}
        names, paths = asked(settings.get("container_runtime_engine", "docker"))
        installed = {one: {"status": "installed", "version": CE.get(one, version), "held": False} for one in packages}
        given["packages"] = {one: installed.get(one, NO_PACKAGE) for one in names}
        given["paths"] = {path: {"exists": False, "sha256": None, "mode": None} for path in paths}
        given["contents"] = {STORE: '{"mount_point": "/data"}' if store else None}
        given["units"] = {UNIT: {"exists": store is not None, "active": store or "inactive"}}
        given["users"] = {}
        return value_of("container_runtime", name, __container_runtime_found=given, **known)

    return value


def wrong(runtime, **settings):
    return {file["path"]: file for file in runtime("_container_runtime_wrong_files", **settings)}


@pytest.mark.parametrize(
    "settings",
    [
        {"container_runtime_data_root": "/data/docker"},
        {"container_runtime_daemon": {"data-root": "/data/docker"}},
        {"container_runtime_engine": "containerd", "container_runtime_containerd": {"root": "/data/containerd"}},
    ],
)
def test_a_data_root_on_the_instance_store_ties_the_daemon_to_it(runtime, settings):
    path = DROP_IN % settings.get("container_runtime_engine", "docker")
    file = wrong(runtime, store="active", **settings)[path]
    assert f"Requires={UNIT}\n" in file["content"] and file["reload"] and not file["restart"]
    assert path not in wrong(runtime, **settings), "where role instance_store has set up nothing"
    assert runtime("_container_runtime_refusals", store="active", **settings) == []
    (message,) = runtime("_container_runtime_refusals", store="failed", **settings)
    assert message.startswith("h1: the data root /data/") and "has failed: the engine would fill the root disk" in message


BAKE = {"__bake_builder": True, "instance_store_mount_point": "/data/"}
ROOTS = {
    "docker": ({"container_runtime_daemon": {"data-root": "/data/docker", "debug": None}}, "data-root", "/var/lib/docker"),
    "containerd": ({"container_runtime_containerd": {"root": "/data/containerd", "debug": None}}, "root", "/var/lib/containerd"),
    "podman": ({}, "data_root", "/var/lib/containers/storage"),
}


@pytest.mark.parametrize("engine", sorted(ROOTS))
def test_a_data_root_on_the_instance_store_is_left_to_the_hosts_of_an_image(runtime, engine):
    own, key, root = ROOTS[engine]
    for settings in ({"container_runtime_data_root": f"/data/{engine}"}, own):
        known = {"container_runtime_engine": engine, **settings}
        wished = f"/data/{engine}" if settings else root
        other = {**BAKE, "instance_store_mount_point": "/other"}
        for bake, expected in ((BAKE, root), (other, wished), ({"__bake_builder": True}, wished)):
            assert runtime("_container_runtime_data_root", **known, **bake) == expected
            if engine != "podman":
                wish = runtime("_container_runtime_daemon" if engine == "docker" else "_container_runtime_containerd", **known, **bake)
                assert wish.get(key) == (None if expected == root else expected)
                assert "debug" in wish or settings is not own, "what else the user set stays"
        assert runtime("_container_runtime_data_root", instance_store_mount_point="/data", **known) == wished, "on a host"
    elsewhere = {"container_runtime_engine": engine, "container_runtime_data_root": "/srv/engine", **BAKE}
    assert runtime("_container_runtime_root_setting", **elsewhere) == "/srv/engine"


@pytest.mark.parametrize("settings", [{}, {"container_runtime_engine": "podman", "container_runtime_data_root": "/data/podman"}])
def test_others_are_not_tied(runtime, settings):
    assert not [path for path in wrong(runtime, store="failed", **settings) if path.endswith("mlinfra-instance-store.conf")]
    assert runtime("_container_runtime_refusals", store="failed", **settings) == []


@pytest.mark.parametrize("engine, kept, version", [("docker", "docker-ce", "29.1.0"), ("containerd", "containerd.io", "1.7.28")])
def test_an_engine_of_dockers_own_is_kept(runtime, engine, kept, version):
    """AWS's deep learning AMIs have it, and what nvidia_driver leaves alone there shall have an engine, too."""
    given = {"platform": "Ubuntu-22", "packages": [*CE, "python3-tomli"], "container_runtime_engine": engine}
    assert runtime("_container_runtime_packages", **given)[0] == kept
    assert runtime("_container_runtime_version", **given) == version, "by which CDI is chosen"
    assert runtime("_container_runtime_missing", **given) == [] == runtime("_container_runtime_refusals", **given)
    ecr = {"container_runtime_ecr_registries": ["public.ecr.aws"]}
    assert runtime("_container_runtime_missing", **given, **ecr) == ["amazon-ecr-credential-helper"]


@pytest.mark.parametrize(
    "engine, packages, rivals",
    [
        ("docker", [*CE, "podman-docker"], "podman-docker"),
        ("docker", ["docker-ce-cli", "containerd.io"], "docker-ce-cli, containerd.io"),
        ("containerd", ["moby-containerd"], "moby-containerd"),
    ],
)
def test_what_is_no_engine_of_dockers_own_stands_in_the_way(runtime, engine, packages, rivals):
    (message,) = runtime("_container_runtime_refusals", packages=packages, container_runtime_engine=engine)
    assert message.startswith(f"h1 has {rivals} installed, which stands in the way of ")


def test_what_reads_toml_comes_first_where_python_does_not(runtime):
    """Ubuntu 22.04 has Python 3.10, and config.toml is looked at before containerd is installed."""
    old = {"platform": "Ubuntu-22", "container_runtime_engine": "containerd"}
    assert runtime("_container_runtime_packages", **old) == ["containerd", "python3-tomli"]
    assert runtime("_container_runtime_reader_missing", **old) == ["python3-tomli"]
    assert runtime("_container_runtime_reader_missing", packages=["python3-tomli"], **old) == []
    assert runtime("_container_runtime_packages", platform="Ubuntu-22") == ["docker.io"]
    for platform in ("Debian-12", "Debian-13", "Ubuntu-24"):
        assert runtime("_container_runtime_packages", platform=platform, container_runtime_engine="containerd") == ["containerd"]
        assert runtime("_container_runtime_reader_missing", platform=platform, container_runtime_engine="containerd") == []


GPU = {"container_runtime_engine": "podman", "ansible_facts": {"mlinfra_gpu": {"present": True, "driver_state": "absent"}}}


@pytest.mark.parametrize(
    ("version", "settings", "wish"),
    [
        ("4.3.1+ds1-8+deb12u1", {}, "nvidia-container-toolkit<1.19.1~"),
        ("4.3.1+ds1-8+deb12u1", {"container_runtime_nvidia_version": "1.18.1"}, "nvidia-container-toolkit=1.18.1-*"),
        ("5.4.2-1", {}, "nvidia-container-toolkit"),
        ("4.3.1-1", {"container_runtime_engine": "docker"}, "nvidia-container-toolkit"),
    ],
)
def test_the_toolkit_is_one_that_the_engine_can_read(runtime, version, settings, wish):
    there = {"packages": ["podman"], "version": version, **GPU, **settings}
    assert runtime("_container_runtime_toolkit_wish", **there)[0] == wish


@pytest.mark.parametrize(
    ("candidate", "settings", "refused"),
    [
        ("4.3.1+ds1-8+deb12u1", {"container_runtime_nvidia_version": "1.20.1"}, True),
        ("4.3.1+ds1-8+deb12u1", {"container_runtime_nvidia_version": "1.19.0"}, False),
        ("4.3.1+ds1-8+deb12u1", {}, False),
        ("5.4.2-1", {"container_runtime_nvidia_version": "1.20.1"}, False),
        (None, {"container_runtime_nvidia_version": "1.20.1"}, False),
    ],
)
def test_a_wish_for_one_that_it_could_not_read_is_refused_before_the_engine_comes(runtime, candidate, settings, refused):
    prepared = {"candidates": {"podman": candidate} if candidate else {}}
    found = runtime("_container_runtime_coming_mode", __container_runtime_prepared=prepared, **GPU, **settings)
    assert ("cannot read" in (found["problem"] or "")) == refused


DEV_CHAR = "/etc/udev/rules.d/71-mlinfra-nvidia-dev-char.rules"


@pytest.mark.parametrize(
    ("engine", "version", "cdi", "links"),
    [
        ("docker", "20.10.24", False, True),
        ("docker", "26.1.5", True, True),
        ("containerd", "1.6.20", False, True),
        ("containerd", "1.7.24", True, False),
        ("podman", "5.4.2", True, False),
    ],
)
def test_docker_has_the_runtime_and_the_links_beside_cdi(runtime, engine, version, cdi, links):
    there = {**GPU, "container_runtime_engine": engine, "packages": {"docker": ["docker.io"]}.get(engine, [engine]), "version": version}
    assert runtime("_container_runtime_cdi", **there) == cdi
    assert (DEV_CHAR in wrong(runtime, **there)) == links
    if engine == "docker":
        ours = {"nvidia": {"path": "nvidia-container-runtime", "args": []}}
        assert runtime("_container_runtime_daemon_additions", **there)["runtimes"] == ours
        assert ("features" in runtime("_container_runtime_daemon", **there)) == cdi
        assert "runtimes" not in runtime("_container_runtime_daemon_additions", container_runtime_nvidia="none", **there)


@pytest.mark.parametrize(("given", "wished"), [("alice", ["alice"]), ("alice, bob", ["alice", "bob"]), (["alice"], ["alice"])])
def test_text_is_a_list_of_users_and_not_of_letters(value_of, given, wished):
    found = {"users": {name: {"exists": True, "groups": []} for name in ("alice", "bob", "a", "l")}}
    assert value_of("container_runtime", "_container_runtime_new_users", container_runtime_users=given, __container_runtime_found=found,
                    _container_runtime_noted={}) == wished  # fmt: skip


def test_text_is_a_list_of_registries(value_of):
    name, more = "123456789012.dkr.ecr.us-east-1.amazonaws.com", {"_container_runtime_noted": {}}
    assert value_of("container_runtime", "_container_runtime_unknown_ecr", container_runtime_ecr_registries=name, **more) == []
    registries = [{"name": "docker.io", "mirrors": "https://a.example.org,https://b.example.org"}]
    found = value_of("container_runtime", "_container_runtime_registry", container_runtime_registries=registries,
                     container_runtime_engine="containerd", container_runtime_registry_mirrors="https://c.example.org", **more)  # fmt: skip
    assert found["problems"] == [] and found["files"][0]["content"].count("[host.") == 3
