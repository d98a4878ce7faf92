# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours beside the daemon's own: what is due, written and put back."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.own_files import OwnFiles


def tree(folder):
    return {str(path.relative_to(folder)): (path.read_text(), path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()}


def test_only_what_differs_is_written_and_all_of_it_is_put_back(tmp_path):
    for name, mode in (("same.conf", 0o640), ("other.env", 0o640), ("gone.conf", 0o644), ("open.env", 0o644)):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
    before = tree(tmp_path)
    wishes = {"same.conf": "same.conf", "other.env": "new", "gone.conf": "", "never.conf": "", "d/new.conf": "new", "open.env": "open.env"}
    files = OwnFiles({str(tmp_path / name): text for name, text in wishes.items()})
    due = ["d/new.conf", "gone.conf", "open.env", "other.env"]
    assert files.due == [str(tmp_path / name) for name in due] and tree(tmp_path) == before, "a look changes nothing"
    files.write()
    new = {"same.conf": ("same.conf", 0o640), "other.env": ("new", 0o600), "d/new.conf": ("new", 0o644), "open.env": ("open.env", 0o600)}
    assert tree(tmp_path) == new
    files.restore()
    assert tree(tmp_path) == before


def test_a_file_that_cannot_be_written_leaves_no_draft(tmp_path):
    (tmp_path / "a.conf").mkdir()
    with pytest.raises(OSError):
        OwnFiles({str(tmp_path / "a.conf"): "text"})
    (tmp_path / "a.conf").rmdir()
    files = OwnFiles({str(tmp_path / "a.conf"): "text"})
    (tmp_path / "a.conf").mkdir()
    with pytest.raises(OSError):
        files.write()
    assert [path.name for path in tmp_path.iterdir()] == ["a.conf"]
