# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interpreter a list is made for."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import interpreter


@pytest.mark.parametrize(
    ("version", "lowest"), [("3.11", "3.11"), ("3.13", "3.11"), ("3.9", "3.9"), ("3.10", "3.9"), ("3.6", None), ("3.6", "")]
)
def test_new_enough(version, lowest):
    assert interpreter.too_old(version, lowest, "/usr/bin/python3", []) is None


def test_ubuntu_22_is_told_what_to_do():
    told = interpreter.too_old("3.10", "3.11", "/usr/bin/python3.10", ["/usr/bin/python3.10"])
    assert told.startswith("its list holds for Python 3.11 and later, and /usr/bin/python3.10 is Python 3.10: install a later one")
    assert "a package python3.11), set python to it, or give it a list that was made for 3.10" in told


def test_another_that_is_there_is_named():
    there = ["/usr/bin/python3.9", "/usr/bin/python3.11", "/usr/local/bin/python3.12"]
    told = interpreter.too_old("3.9", "3.11", "/usr/bin/python3.9", there)
    assert "set python to one of those that are there (/usr/bin/python3.11, /usr/local/bin/python3.12)" in told
