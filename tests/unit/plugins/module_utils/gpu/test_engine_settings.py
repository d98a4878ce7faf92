# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How container engines give GPUs to containers, by their files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import cdi, engine_settings

# As `nvidia-ctk runtime configure` leaves it, among what people have in it.
DAEMON = {
    "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}, "kata": {"path": "/usr/bin/kata"}},
    "default-runtime": "nvidia",
    "features": {"cdi": True},
    "cdi-spec-dirs": ["/etc/cdi"],
    "proxies": {"http-proxy": "http://user:secret@proxy:3128"},
}
VERSION_2 = """\
version = 2
imports = ["/etc/containerd/conf.d/*.toml"]

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    enable_cdi = true
    cdi_spec_dirs = [
      "/etc/cdi", # first
      "/var/run/cdi",
    ]
    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".registry.configs."r:5000".auth]
      password = "secret"
"""
VERSION_3 = """\
version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = 'nvidia'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia]
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia.options]
      BinaryName = '/usr/bin/nvidia-container-runtime'
"""
# The shape that `nvidia-ctk cdi generate` writes.
SPEC = """\
---
cdiVersion: 0.5.0
containerEdits:
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05
    name: not a device
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
      name: nor this
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""


@pytest.fixture
def notes():
    return []


def look(tree, notes):
    return engine_settings.look(tree.host, lambda what, why: notes.append((what, why)))


def specs(tree, notes):
    return cdi.look(tree.host, lambda what, why: notes.append((what, why)))


def test_no_engine(tree, notes):
    assert look(tree, notes) == {"docker": None, "containerd": None, "podman": {"hook": None}, "nvidia_toolkit": None}
    assert specs(tree, notes) == [] and notes == [] and tree.host.unread == []


def test_docker(tree, notes):
    tree.put("/etc/docker/daemon.json", json.dumps(DAEMON))
    found = look(tree, notes)
    assert found["docker"] == {
        "path": "/etc/docker/daemon.json", "runtimes": ["kata", "nvidia"], "nvidia_runtime": True, "default_runtime": "nvidia", "cdi": True,
        "cdi_spec_dirs": ["/etc/cdi"],
    }  # fmt: skip
    assert "secret" not in json.dumps(found) and notes == []


@pytest.mark.parametrize("text", ['{"log-driver": "json-file"}', " \n", '{"runtimes": [], "features": 1, "default-runtime": {}}'])
def test_docker_without_gpus(tree, notes, text):
    tree.put("/etc/docker/daemon.json", text)
    found = look(tree, notes)["docker"]
    assert found["runtimes"] == [] and found["nvidia_runtime"] is False and found["default_runtime"] is None and found["cdi"] is None


@pytest.mark.parametrize("text", ["{", "[]", '{"a": "secret" "b"}', "[" * 100000])
def test_a_daemon_json_that_is_none(tree, notes, text):
    tree.put("/etc/docker/daemon.json", text)
    assert look(tree, notes)["docker"]["runtimes"] is None
    assert [what for what, why in notes] == ["/etc/docker/daemon.json"] and "secret" not in notes[0][1]


def test_containerd(tree, notes):
    tree.put("/etc/containerd/config.toml", VERSION_2)
    found = look(tree, notes)
    assert found["containerd"] == {
        "paths": ["/etc/containerd/config.toml"], "runtimes": ["runc"], "nvidia_runtime": False, "default_runtime": "runc", "cdi": True,
        "cdi_spec_dirs": ["/etc/cdi", "/var/run/cdi"],
    }  # fmt: skip
    assert "secret" not in json.dumps(found)


def test_containerd_with_what_nvidia_ctk_puts_beside_it(tree, notes):
    tree.put("/etc/containerd/config.toml", VERSION_2)
    tree.put("/etc/containerd/conf.d/99-nvidia.toml", VERSION_3)
    tree.put("/etc/containerd/conf.d/99-nvidia.toml.bak", VERSION_2)
    found = look(tree, notes)["containerd"]
    assert found["paths"] == ["/etc/containerd/config.toml", "/etc/containerd/conf.d/99-nvidia.toml"]
    assert (found["runtimes"], found["nvidia_runtime"], found["default_runtime"], found["cdi"]) == (
        ["nvidia", "runc"],
        True,
        "nvidia",
        True,
    )


def test_what_is_written_otherwise_is_told(tree, notes):
    path = tree.put("/etc/containerd/config.toml", "version = 2\n# nvidia-container-runtime is not set up\n")
    assert look(tree, notes)["containerd"]["nvidia_runtime"] is False and notes == []
    path.write_text('plugins = {cri = {runtimes = {nvidia = {BinaryName = "nvidia-container-runtime"}}}}\n')
    assert look(tree, notes)["containerd"]["nvidia_runtime"] is False and [what for what, why in notes] == ["/etc/containerd/config.toml"]
    tree.put("/etc/cdi/nvidia.yaml", "kind: nvidia.com/gpu\ndevices: [{name: all}]\n")
    assert specs(tree, notes)[0]["devices"] == [] and notes[-1][0] == "/etc/cdi/nvidia.yaml"


def test_the_toolkits_own_mode_and_podmans_hook(tree, notes):
    tree.put("/etc/nvidia-container-runtime/config.toml", '[nvidia-container-runtime]\n#mode = "auto"\nmode = "cdi"\n[x]\nmode = "no"\n')
    tree.put("/usr/share/containers/oci/hooks.d/oci-nvidia-hook.json", "{}")
    found = look(tree, notes)
    assert found["nvidia_toolkit"] == {"path": "/etc/nvidia-container-runtime/config.toml", "mode": "cdi"}
    assert found["podman"]["hook"].endswith("oci-nvidia-hook.json")


def test_cdi(tree, notes):
    tree.put("/var/run/cdi/nvidia.yaml", SPEC)
    other = {"kind": "vendor.com/net", "devices": [{"name": "a"}]}
    tree.put("/etc/cdi/other.json", json.dumps(other))
    tree.put("/etc/cdi/gpu.json", json.dumps(dict(other, kind="nvidia.com/gpu")))
    tree.put("/etc/cdi/README", "kind: nvidia.com/gpu")
    assert specs(tree, notes) == [
        {"path": "/etc/cdi/gpu.json", "kind": "nvidia.com/gpu", "devices": ["a"], "driver_versions": []},
        {"path": "/var/run/cdi/nvidia.yaml", "kind": "nvidia.com/gpu", "devices": ["0", "all"], "driver_versions": ["580.95.05"]},
    ]
    assert notes == []


@pytest.mark.parametrize("text", ["no kind\n", "devices: []\n", "kind:\n", "\0"])
def test_a_specification_that_is_none(tree, notes, text):
    tree.put("/etc/cdi/nvidia.yaml", text)
    assert specs(tree, notes) == [] and [what for what, why in notes] == ["/etc/cdi/nvidia.yaml"]


def test_devices_indented_below_their_list():
    entries = ["name: '1'", "name: all", "containerEdits:\n      - name: no"]
    text = 'kind: "nvidia.com/gpu"\ndevices:\n' + "".join("  - %s\n" % entry for entry in entries)
    assert cdi.parse_yaml(text)["names"] == ["1", "all"]


@given(st.text(), st.integers(0, 500))
def test_no_text_raises(text, cut):
    for part in (text, SPEC[:cut] + text, VERSION_2[:cut] + text, VERSION_3[:cut] + text):
        cdi.parse_yaml(part)
        assert list(engine_settings.settings(part)) is not None and list(engine_settings.runtimes_of(part)) is not None
        found = {"paths": [], "runtimes": [], "nvidia_runtime": False, "default_runtime": None, "cdi": None, "cdi_spec_dirs": None}
        for table, key, value in engine_settings.settings(part):
            engine_settings.of_containerd(found, table, key, value)
