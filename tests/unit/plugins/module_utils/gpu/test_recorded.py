# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role nvidia_driver wrote down, as facts."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import recorded
from tests.unit.plugins.module_utils.gpu.conftest import Tree


def test_pins(tmp_path):
    tree = Tree(tmp_path)
    assert recorded.look(tree.host) == {"current": None, "previous": None, "preferences": False}
    tree.put(recorded.PINS, json.dumps({"schema": 1, "current": {"schema": 1}, "previous": None, "more": 1}))
    tree.put(recorded.PREFERENCES, "")
    assert recorded.look(tree.host) == {"current": {"schema": 1}, "previous": None, "preferences": True}


@pytest.mark.parametrize("text", ["{", "[]", '{"current": 7}', "\x00"])
def test_file_that_is_none(tmp_path, text):
    tree = Tree(tmp_path)
    tree.put(recorded.PINS, text)
    assert recorded.look(tree.host) == {"current": None, "previous": None, "preferences": False}


@pytest.mark.parametrize(
    ("path", "source", "managed"),
    [
        (recorded.MANIFEST, "packages", True),
        (recorded.MANIFEST, "files", False),
        (recorded.MANIFEST, None, False),
        # a run that was stopped in the middle
        (recorded.BEGUN, "packages", True),
        ("/other", "packages", False),
    ],
)
def test_whose_driver_it_is(tmp_path, path, source, managed):
    tree = Tree(tmp_path)
    tree.put(path)
    assert recorded.is_managed(tree.host, source) is managed
