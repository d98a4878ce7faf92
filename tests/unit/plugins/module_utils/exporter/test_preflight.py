# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in node_exporter's way: each message names value, expectation and next step."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import preflight


def wish(**other):
    return {
        "source": "package", "version": "", "release_url": "https://mirror.example/x", "sha256": {"amd64": "a" * 64},
        "architecture": "amd64", "unit": "prometheus-node-exporter.service", "user": "node_exporter", "listen_address": "0.0.0.0",
        "port": 9100, "collectors_enabled": [], "collectors_disabled": [], "textfile_directory": "/var/lib/x", "cert_file": None,
        "key_file": None, **other,
    }  # fmt: skip


def seen(**other):
    return {"systemd": True, "version": None, "unit_file": None, "collectors": {}, "listeners": [], "files": {}, **other}


def holder(**other):
    return {"address": "0.0.0.0", "port": 9100, "pid": 312, "command": "nginx", "unit": "nginx.service", **other}


def test_a_bare_host_and_the_defaults_are_fine():
    assert preflight.input_problems(wish()) + preflight.host_problems(wish(), seen()) == []


@pytest.mark.parametrize(
    ("change", "begins", "ends"),
    [
        ({"listen_address": "localhost"}, "node_exporter_listen_address is 'localhost': expected one IPv4 or IPv6 address", "127.0.0.1."),
        ({"port": 0}, "node_exporter_port is 0: expected 1 to 65535", "9100."),
        ({"textfile_directory": "metrics dir"}, "node_exporter_textfile_directory is 'metrics dir': expected an absolute path", "path."),
        ({"cert_file": "/etc/a b", "key_file": "/k"}, "node_exporter_tls.cert_file is '/etc/a b'", "path."),
        ({"source": "release", "version": "latest"}, "node_exporter_version is 'latest'", "1.9.1."),
        ({"source": "release", "version": "1.9.1", "release_url": "mirror"}, "node_exporter_release_url is 'mirror'", ".tar.gz."),
        ({"source": "release", "version": "1.9.1", "sha256": {}}, "node_exporter_sha256.amd64 is missing", "sha256sums.txt."),
        ({"source": "release", "version": "1.9.1", "sha256": {"amd64": "A" * 64}}, "node_exporter_sha256.amd64 is 'AA", "sums.txt."),
        ({"source": "release", "version": "1.9.1", "architecture": "arm64"}, "node_exporter_sha256.arm64 is missing", "sha256sums.txt."),
    ],
)
def test_values_that_are_wrong_everywhere(change, begins, ends):
    (message,) = preflight.input_problems(wish(**change))
    assert message.startswith(begins)
    assert message.endswith(ends)


def test_a_package_wants_no_version_and_no_checksum():
    assert preflight.input_problems(wish(version="", sha256={}, release_url="")) == []


def test_a_port_that_another_process_holds_is_told_once_for_all_its_sockets():
    (message,) = preflight.host_problems(wish(), seen(listeners=[holder(), holder(address="::")]))
    assert message == (
        "node_exporter_port is 9100: nginx (pid 312, nginx.service) listens there already, on 0.0.0.0 and ::. "
        "Stop it, or choose another node_exporter_port or node_exporter_listen_address."
    )


def test_ones_own_socket_and_one_on_another_address_are_no_conflict():
    own = holder(unit="prometheus-node-exporter.service")
    assert preflight.host_problems(wish(), seen(listeners=[own])) == []
    assert preflight.host_problems(wish(listen_address="127.0.0.1"), seen(listeners=[holder(address="10.42.0.10")])) == []


def test_a_holder_that_nobody_shows_is_a_conflict_too():
    (message,) = preflight.host_problems(wish(), seen(listeners=[holder(pid=None, command=None, unit=None)]))
    assert "a process that /proc does not show" in message


def test_a_host_without_systemd_is_refused():
    (message,) = preflight.host_problems(wish(), seen(systemd=False))
    assert "/run/systemd/system is missing" in message


def test_certificate_and_key_must_be_there_and_readable():
    state = {"exists": True, "readable": False, "mode": "0600", "owner": "root", "group": "root"}
    files = {"/c": {**state, "exists": False}, "/k": state}
    cert, key = preflight.host_problems(wish(cert_file="/c", key_file="/k"), seen(files=files))
    assert cert.startswith("node_exporter_tls.cert_file is /c: there is no such file")
    assert "node_exporter_tls.key_file is /k (mode 0600, root:root)" in key
    assert key.endswith("add that group to node_exporter_groups.")


def test_the_installed_program_judges_collectors_when_it_stays():
    there = seen(version="1.5.0", unit_file="/x", collectors={"cpu": True})
    (message,) = preflight.host_problems(wish(collectors_enabled=["cpu", "softirqs"]), there)
    assert "softirqs: node_exporter 1.5.0 has no such collector" in message


def test_the_table_judges_collectors_when_another_one_is_to_come():
    there = seen(version="1.5.0", unit_file="/x", collectors={"cpu": True})
    release = wish(source="release", version="1.9.1", collectors_enabled=["softirqs", "softirq"])
    (message,) = preflight.host_problems(release, there)
    assert message.startswith("node_exporter_collectors_enabled[1] is softirq: node_exporter 1.9.1 has no such collector.")
    assert message.endswith("Did you mean softirqs?")


@pytest.mark.parametrize(
    ("change", "version", "unit_file", "stays"),
    [
        ({}, None, None, False),
        ({}, "1.5.0", "/usr/lib/systemd/system/x.service", True),
        ({}, "1.5.0", None, False),
        ({"source": "release", "version": "1.5.0"}, "1.5.0", None, True),
        ({"source": "release", "version": "1.9.0"}, "1.5.0", None, False),
    ],
)
def test_when_nothing_is_to_be_installed(change, version, unit_file, stays):
    assert preflight.stays(wish(**change), seen(version=version, unit_file=unit_file)) is stays
