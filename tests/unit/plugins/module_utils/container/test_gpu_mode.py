# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which way containers get GPUs: every pair of engine and toolkit has one, or a reason."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.filter.container_gpu_mode import container_gpu_mode
from ansible_collections.mlinfra.hosts.plugins.module_utils.container import gpu_mode
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions

VERSIONS = st.one_of(st.just(""), st.lists(st.integers(0, 40), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts))))


@pytest.mark.parametrize(
    ("engine", "version", "toolkit", "mode"),
    [
        ("docker", "20.10.24", "1.18.1", "runtime"),
        ("docker", "24.0.9", "1.18.1", "runtime"),
        ("docker", "25", "1.18.1", "cdi"),
        ("docker", "26.1.5", "1.17.8", "runtime"),
        ("docker", "", "", "cdi"),
        ("containerd", "1.6.20", "1.18.1-1", "runtime"),
        ("containerd", "1.7.24", "1.18.1-1", "cdi"),
        ("podman", "4.3.1", "1.18.1", "cdi"),
        ("podman", "4.1", "1.19.0", "cdi"),
        ("podman", "5.4.2", "1.19.1", "cdi"),
    ],
)
def test_the_way_that_works(engine, version, toolkit, mode):
    assert gpu_mode.choose("auto", engine, version, toolkit) == {"mode": mode, "problem": None}


@pytest.mark.parametrize(
    ("wish", "engine", "version", "toolkit", "said"),
    [
        ("cdi", "docker", "20.10.24", "1.18.1", "it wants Docker 25, .* has docker 20.10.24 and toolkit 1.18.1. Set it to auto or runtime"),
        ("cdi", "containerd", "1.7.24", "1.17.8", "toolkit 1.17.8"),
        ("auto", "podman", "3.4.4", "1.18.1", "podman gets GPUs by CDI alone"),
        ("runtime", "podman", "5.4.2", "1.18.1", "container_runtime_nvidia_mode is runtime"),
        ("auto", "podman", "4.3.1", "1.19.1", "cannot read .* Set container_runtime_nvidia_version to 1.18.1"),
    ],
)
def test_what_cannot_be_had(wish, engine, version, toolkit, said):
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(gpu_mode.choose(wish, engine, version, toolkit)["problem"])


@given(wish=st.sampled_from(["auto", "cdi", "runtime"]), engine=st.sampled_from(sorted(gpu_mode.FIRST)), version=VERSIONS, toolkit=VERSIONS)
def test_never_a_pair_that_the_table_forbids(wish, engine, version, toolkit):
    found = gpu_mode.choose(wish, engine, version, toolkit)
    assert found["mode"] in ("cdi", "runtime")
    if found["problem"]:
        assert "this host has %s" % engine in found["problem"]
        return
    assert wish in ("auto", found["mode"]) and not (engine == "podman" and found["mode"] == "runtime")
    known = gpu_mode.at_least(version, gpu_mode.FIRST[engine]) and gpu_mode.at_least(toolkit, gpu_mode.TOOLKIT)
    if found["mode"] == "cdi":
        assert known
    elif wish == "auto":
        assert not known


@given(version=VERSIONS, toolkit=VERSIONS.filter(bool), engine=st.sampled_from(sorted(gpu_mode.FIRST)))
def test_the_limit_is_where_the_refusal_begins(version, toolkit, engine):
    limit = container_gpu_mode(engine, version, toolkit)["toolkit_below"]
    told = gpu_mode.choose("auto", engine, version, toolkit)["problem"] or ""
    assert ("cannot read" in told) == (limit is not None and versions.compare(toolkit + "-1", limit) > 0)
    assert limit is None or engine == "podman"


@pytest.mark.parametrize(("version", "limit"), [("4.9.3", "1.19.1~"), ("5.0", None), ("", None)])
def test_podman_before_5_has_a_limit(version, limit):
    assert container_gpu_mode("podman", version)["toolkit_below"] == limit


def test_an_engine_that_is_not_known():
    with pytest.raises(AnsibleFilterError, match="'lxc' with wish 'auto': expected docker, containerd or podman"):
        container_gpu_mode("lxc")
