# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of the machine that runs this."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import accounts


def test_root_is_there_everywhere():
    root = accounts.look("root")
    assert (root["exists"], root["uid"], root["gid"], root["group"]) == (True, 0, 0, "root") and root["group"] not in root["groups"]


def test_nobody_of_that_name():
    assert accounts.look("nobody-of-that-name") == accounts.ABSENT
