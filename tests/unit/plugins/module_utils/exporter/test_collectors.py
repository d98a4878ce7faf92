# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collector names: read from the program, or judged by the table before there is one."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import collectors

HELP = """usage: prometheus-node-exporter [<flags>]

      --collector.systemd.unit-include=".+"
                                 Regexp of systemd units to include.
      --[no-]collector.cpu       Enable the cpu collector (default: enabled).
      --[no-]collector.cpu_vulnerabilities
                                 Enable the cpu_vulnerabilities collector (default:
                                 disabled).
      --[no-]collector.disable-defaults
                                 Set all collectors to disabled by default.
"""


def test_help_is_read_over_line_breaks():
    assert collectors.parse_help(HELP) == {"cpu": True, "cpu_vulnerabilities": False}


def test_version_of_old_and_new_programs():
    assert collectors.parse_version("node_exporter, version 1.5.0 (branch: debian/sid)\n  go version: go1.19.8") == "1.5.0"
    assert collectors.parse_version("something else") is None


def test_unknown_name_comes_with_the_closest_one():
    (message,) = collectors.problems(["cpu", "systmd"], [], collectors.known("1.9.1"), "node_exporter 1.9.1")
    assert message == "node_exporter_collectors_enabled[1] is systmd: node_exporter 1.9.1 has no such collector. Did you mean systemd?"


def test_a_release_newer_than_the_table_is_not_judged_by_it():
    assert collectors.known("1.10.0") is None
    assert collectors.problems(["pcidevice"], [], None, "node_exporter 1.10.0") == []
    assert len(collectors.problems(["--web.x"], [], None, "node_exporter 1.10.0")) == 1


def test_both_lists_are_judged_and_may_not_meet():
    messages = collectors.problems(["arp", "cpu"], ["arp", "nope"], {"arp": True, "cpu": True}, "node_exporter 1.5.0")
    assert [message.split(" ")[0] for message in messages] == ["node_exporter_collectors_disabled[1]", "node_exporter_collectors_enabled"]
    assert "both name arp" in messages[1]
