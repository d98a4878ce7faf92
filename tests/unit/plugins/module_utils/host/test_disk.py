# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free space at paths that need not be there yet."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import disk


def test_the_nearest_folder_that_is_there_counts(tmp_path):
    assert disk.existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert disk.existing("/no-such-folder") == "/"


def test_free_space_in_mib(tmp_path, monkeypatch):
    asked = []
    status = type("Status", (), {"f_bfree": 512, "f_frsize": 4096})
    monkeypatch.setattr(disk.os, "statvfs", lambda path: asked.append(path) or status)
    assert disk.free_mib(str(tmp_path / "later")) == 2 and asked == [str(tmp_path)]
