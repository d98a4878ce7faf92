# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an engine's data is, and when it may be looked for elsewhere."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import data_root

# What a fresh engine has, and one file of what would be missed.
FRESH = {
    "docker": ["overlay2/l", "image/overlay2/imagedb/content/sha256", "containers", "volumes", "swarm", "network/files"],
    "containerd": ["io.containerd.content.v1.content/blobs", "io.containerd.metadata.v1.bolt", "tmpmounts"],
    "podman": ["overlay-images", "overlay-containers", "overlay/l", "volumes", "libpod"],
}
MISSED = {
    "docker": ["image/overlay2/imagedb/content/sha256/abc", "containers/abc", "volumes/mine/_data"],
    "containerd": ["io.containerd.content.v1.content/blobs/sha256/abc"],
    "podman": ["overlay-images/abc/manifest", "overlay-containers/abc/userdata", "volumes/mine/_data"],
}


@pytest.mark.parametrize(("engine", "path"), [(engine, path) for engine, paths in MISSED.items() for path in paths])
def test_what_would_be_missed(tmp_path, engine, path):
    assert not data_root.holds_data(engine, str(tmp_path / "none"))
    for folder in FRESH[engine]:
        (tmp_path / folder).mkdir(parents=True)
    assert not data_root.holds_data(engine, str(tmp_path)), "a fresh engine has nothing yet"
    (tmp_path / path).mkdir(parents=True)
    assert data_root.holds_data(engine, str(tmp_path))


def test_a_move():
    stop = "systemctl stop docker"
    told = data_root.problem("/var/lib/docker", "/data", True, False, False, stop)
    assert "/var/lib/docker, and /data is wished" in told and "rsync -aHAXS /var/lib/docker/ /data/" in told and stop in told
    assert "container_runtime_abandon_data" in told
    for old, new, old_has, new_has, abandon in [
        ("/a", "/a/", True, False, False),
        ("/a", "/b", False, False, False),
        ("/a", "/b", True, True, False),
        ("/a", "/b", True, False, True),
    ]:
        assert data_root.problem(old, new, old_has, new_has, abandon, stop) is None


def test_the_nearest_folder_that_is_there(tmp_path):
    assert data_root.nearest(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert data_root.nearest("relative/none"), "ends for a path that is not absolute, too"


def test_a_file_system_without_overlay():
    assert "/x, on a file system of type nfs4" in data_root.file_system_problem("/x", "nfs4")
    assert data_root.file_system_problem("/x", "ext4") is None
