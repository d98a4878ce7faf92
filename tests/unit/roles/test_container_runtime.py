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

    def value(name, platform="Debian-12", store=None, packages=(), **settings):
        known = {"inventory_hostname": "h1", "ansible_facts": {}, "ansible_check_mode": False, **settings}
        given = {"platform_names": [platform], "distribution": platform[:-3], "distribution_major_version": platform[-2:]}
        names, paths = asked(settings.get("container_runtime_engine", "docker"))
        given["packages"] = {one: dict(NO_PACKAGE, status="installed", version="1") if one in packages else NO_PACKAGE for one in names}
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


@pytest.mark.parametrize("settings", [{}, {"container_runtime_engine": "podman", "container_runtime_data_root": "/data/podman"}])
def test_others_are_not_tied(runtime, settings):
    assert not [path for path in wrong(runtime, store="failed", **settings) if path.endswith("mlinfra-instance-store.conf")]
    assert runtime("_container_runtime_refusals", store="failed", **settings) == []


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
