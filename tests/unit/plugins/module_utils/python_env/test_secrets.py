# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import secrets


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (None, []),
        ("https://index.example/simple", []),
        ("https://joe:p%40ss@index.example/simple", ["p%40ss", "p@ss"]),
        ("https://token@index.example", ["token"]),
        ("https://joe:@index.example:8443/", ["joe"]),
        ("http://[broken", []),
    ],
)
def test_of_url(url, found):
    assert secrets.of_url(url) == found


def test_hide():
    assert (
        secrets.hide("from http://joe:p@ss@a/x and https://b/y@z, https://tok@c:1")
        == "from http://***@a/x and https://b/y@z, https://***@c:1"
    )
