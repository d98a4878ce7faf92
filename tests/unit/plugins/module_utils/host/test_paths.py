# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a path, and folders that are not as wished."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import paths


def test_a_file_with_its_checksum(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"text")
    file.chmod(0o640)
    found = paths.look(str(file))
    assert found == {
        "exists": True, "kind": "file", "mode": "0640", "owner": paths.owner(file.stat()), "group": paths.group(file.stat()),
        "size": 4, "sha256": hashlib.sha256(b"text").hexdigest(), "target": None,
    }  # fmt: skip


def test_a_link_is_not_followed_and_a_large_file_not_read(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(paths.LARGEST + 1)
    assert (paths.look(str(tmp_path / "link"))["kind"], paths.look(str(tmp_path / "link"))["target"]) == ("link", "nowhere")
    assert paths.look(str(tmp_path / "large"))["sha256"] is None
    assert paths.look(str(tmp_path))["kind"] == "directory"
    assert paths.look(str(tmp_path / "missing")) == paths.ABSENT


@pytest.mark.parametrize(
    ("wish", "right"),
    [({}, True), ({"mode": "755"}, True), ({"mode": "0700"}, False), ({"owner": "no-such-user"}, False), ({"group": "no-such"}, False)],
)
def test_a_folder_as_wished(tmp_path, wish, right):
    tmp_path.chmod(0o755)
    assert paths.as_wished({"path": str(tmp_path), "owner": None, "group": None, "mode": None, **wish}) is right


def test_neither_a_file_nor_nothing_is_a_folder(tmp_path):
    (tmp_path / "file").touch()
    assert not paths.as_wished({"path": str(tmp_path / "file")}) and not paths.as_wished({"path": str(tmp_path / "missing")})


def test_number_without_a_name():
    assert paths.name_of(paths.pwd.getpwuid, 3999999999) == "3999999999"
