# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's settings file is never lost, also not where the disk is full."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings_file import ORIGINAL, SettingsFile

BEFORE = '{"debug":\r\n true}'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "daemon.json"
    path.write_bytes(BEFORE.encode())
    path.chmod(0o640)
    return path


def test_original_is_kept_to_the_byte_and_once(path):
    SettingsFile(str(path)).replace("{}")
    SettingsFile(str(path)).replace("[]")
    original = path.with_name(path.name + ORIGINAL)
    assert original.read_bytes() == BEFORE.encode() and path.read_text() == "[]"
    assert path.stat().st_mode & 0o777 == original.stat().st_mode & 0o777 == 0o640


def test_full_disk_leaves_the_file_and_nothing_else(path, monkeypatch):
    def full(*unused):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "chown", full)
    with pytest.raises(OSError, match="No space left"):
        SettingsFile(str(path)).replace("{}")
    assert path.read_bytes() == BEFORE.encode() and [file.name for file in path.parent.iterdir()] == ["daemon.json"]


def test_restore_is_to_the_byte(path):
    file = SettingsFile(str(path))
    file.replace("{}")
    file.restore()
    assert path.read_bytes() == BEFORE.encode()
