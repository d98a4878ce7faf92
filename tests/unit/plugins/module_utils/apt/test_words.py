# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt_prepare says when it gives up."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import words

FAILING = """Setting up mlinfra-broken (1.0) ...
no database here
dpkg: error processing package mlinfra-broken (--configure):
 installed mlinfra-broken package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 mlinfra-broken
"""


def test_the_holder_of_the_lock_is_named():
    message = words.locked({"pid": 812, "command": "apt-get -y dist-upgrade", "path": "/var/lib/dpkg/lock-frontend"}, 300)
    held = "apt is in use: apt-get -y dist-upgrade (pid 812) holds /var/lib/dpkg/lock-frontend, and did not let go within 300 s"
    assert message.startswith(held)
    assert "cannot be seen from here holds its lock" in words.locked({"pid": None, "command": None, "path": None}, 1)


def test_a_package_that_cannot_be_finished_is_told_in_its_scripts_own_words_once():
    message = words.cannot_finish(["mlinfra-broken"], FAILING + FAILING)
    assert message.count("no database here") == 1 and "dpkg: error" not in message and "dpkg --configure mlinfra-broken" in message


def test_a_repair_that_removes_is_left_to_the_user():
    message = words.would_remove(["exim4"], ["half"])
    assert "(half)" in message and "removing exim4" in message and "apt-get -f install" in message


@pytest.mark.parametrize(
    "output",
    [
        "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 12 (apt-get)",
        "dpkg: error: dpkg frontend lock was locked by another process with pid 12",
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
    ],
)
def test_another_process_came_first(output):
    assert words.is_locked(output)


def test_other_failures_are_not_waited_for():
    assert not words.is_locked("E: Unable to locate package x")
