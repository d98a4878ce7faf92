# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each engine is told of registries."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.filter.container_registries import container_registries
from ansible_collections.mlinfra.hosts.plugins.module_utils.container import registries

tomllib = pytest.importorskip("tomllib")
CA = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
WISH = (
    {"name": "registry.example.org:5000", "insecure": True},
    {"name": "mirror.example.org", "ca": CA},
    {"name": "ghcr.io", "mirrors": ["https://mirror.example.org/v2/ghcr"]},
)


def files(engine, mirrors=(), wish=WISH):
    return {file["path"]: file["content"] for file in container_registries(list(wish), engine, list(mirrors))["files"]}


def test_containerd():
    found = files("containerd", ["https://mirror.example.org", "http://registry.example.org:5000"])
    assert found["/etc/containerd/certs.d/mirror.example.org/ca.crt"] == CA
    hub = tomllib.loads(found["/etc/containerd/certs.d/docker.io/hosts.toml"])
    assert hub["server"] == "https://registry-1.docker.io"
    assert list(hub["host"]) == ["https://mirror.example.org", "http://registry.example.org:5000"], "asked in this order"
    assert hub["host"]["https://mirror.example.org"]["ca"] == "/etc/containerd/certs.d/mirror.example.org/ca.crt"
    unsafe = tomllib.loads(found["/etc/containerd/certs.d/registry.example.org:5000/hosts.toml"])
    assert unsafe["server"] == "http://registry.example.org:5000"
    assert unsafe["host"]["https://registry.example.org:5000"] == {"capabilities": ["pull", "resolve"], "skip_verify": True}
    signed = tomllib.loads(found["/etc/containerd/certs.d/mirror.example.org/hosts.toml"])["host"]["https://mirror.example.org"]
    assert "push" in signed["capabilities"], "by http there would be no certificate"
    ghcr = tomllib.loads(found["/etc/containerd/certs.d/ghcr.io/hosts.toml"])["host"]["https://mirror.example.org/v2/ghcr"]
    assert ghcr["override_path"] is True and "push" not in ghcr["capabilities"]


def test_docker():
    wish = WISH[:2]
    assert files("docker", wish=wish) == {"/etc/docker/certs.d/mirror.example.org/ca.crt": CA}
    assert container_registries(wish, "docker")["insecure"] == ["registry.example.org:5000"]


def test_podman():
    found = tomllib.loads(registries.podman(registries.of(["http://10.0.0.5:5000/"], WISH)))["registry"]
    assert found == [
        {"location": "docker.io", "mirror": [{"location": "10.0.0.5:5000", "insecure": True}]},
        {"location": "registry.example.org:5000", "insecure": True},
        {"location": "ghcr.io", "mirror": [{"location": "mirror.example.org/v2/ghcr"}]},
    ]
    assert files("podman") == {"/etc/containers/certs.d/mirror.example.org/ca.crt": CA}
    assert registries.podman([]) == ""
    theirs = [{"registry": [{"prefix": "ghcr.io", "location": "x"}]}, {}]
    assert registries.told_already(registries.of([], WISH), theirs) == ["ghcr.io"]


@pytest.mark.parametrize(
    ("engine", "mirrors", "wish", "said"),
    [
        ("docker", [], WISH, r"registries\[2\]\.mirrors: Docker knows mirrors of Docker Hub alone"),
        ("podman", ["mirror"], [], r"container_runtime_registry_mirrors\[0\] is mirror: expected a URL"),
        ("podman", ["https://me:s3cret@mirror"], [], r"is https://\*\*\*@mirror: expected a URL without a password"),
        ("podman", [], [{"name": "https://x"}], r"registries\[0\]\.name is https://x: expected HOST or HOST:PORT"),
        ("podman", [], [{"name": "x"}, {"name": "x"}], r"registries\[1\]\.name is x, which an earlier one has"),
        ("podman", [], [{"name": "x", "ca": "/etc/ca.pem"}], r"registries\[0\]\.ca is no certificate"),
        ("podman", [], [{"name": "x", "ca": CA, "insecure": True}], "has ca and insecure"),
    ],
)
def test_problems(engine, mirrors, wish, said):
    answer = container_registries(wish, engine, mirrors)
    assert not answer["files"] and any(re.search(said, text) for text in answer["problems"]), answer


NAMES = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}(:[0-9]{1,5})?", fullmatch=True)
URLS = st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), NAMES, st.sampled_from(["", "/", "/a/b"]))


@example(mirrors=["http://a", "http://a/"], wish=[])
@example(mirrors=[], wish=[{"name": "a", "insecure": True, "mirrors": ["https://a"]}])
@given(
    mirrors=st.lists(URLS, max_size=2, unique=True),
    wish=st.lists(
        st.fixed_dictionaries({"name": NAMES}, optional={"insecure": st.booleans(), "mirrors": st.lists(URLS, max_size=2, unique=True)}),
        max_size=3,
        unique_by=lambda one: one["name"],
    ),
)
def test_what_is_written_is_what_was_wished(mirrors, wish):
    assert registries.problems("podman", mirrors, wish) == []
    known = registries.of(mirrors, wish)
    told = {table["location"]: table for table in tomllib.loads(registries.podman(known)).get("registry", [])}
    assert {name for name, table in told.items() if table.get("insecure")} == {one["name"] for one in wish if one.get("insecure")}
    for one in known:
        assert len(told.get(one["name"], {}).get("mirror", [])) == len({url.rstrip("/") for url in one["mirrors"]}) == len(one["mirrors"])
        hosts = tomllib.loads(registries.hosts_toml(one, known)).get("host", {})
        assert set(hosts) >= {url.rstrip("/") for url in one["mirrors"]}


def test_an_engine_that_is_not_known():
    with pytest.raises(AnsibleFilterError, match="engine is 'lxc': expected docker or containerd or podman"):
        container_registries([], "lxc")
