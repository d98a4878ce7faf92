# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets as the kernel prints them, and which of them are in the way of another one."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import listeners

# From a Debian 12 host: sshd on 0.0.0.0:22, a resolver on 127.0.0.53:53, and an established connection on port 22.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18231 1 0000000000000000 100 0 0 10 0
   1: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 17001 1 0000000000000000 100 0 0 10 5
   2: 0B00610A:0016 0100610A:D1F2 01 00000000:00000000 02:000A4D5E 00000000     0        0 20001 4 0000000000000000 20 4 30 10 -1
"""
TCP6 = """  sl  local_address                         remote_address                     st tx_queue tr tm->when retrnsmt uid timeout inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 18233 1
   1: 0000000000000000FFFF00000100007F:238C 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 18234 1
"""


def test_only_listening_sockets_are_read():
    assert [(str(address), port, inode) for address, port, inode in listeners.parse_proc_net(TCP)] == [
        ("0.0.0.0", 22, "18231"),
        ("127.0.0.53", 53, "17001"),
    ]


def test_ipv6_words_are_in_the_hosts_byte_order():
    assert [(address, port) for address, port, _inode in listeners.parse_proc_net(TCP6)] == [
        (listeners.ipaddress.ip_address("::1"), 8080),
        (listeners.ipaddress.ip_address("::ffff:127.0.0.1"), 9100),
    ]


@pytest.mark.parametrize(
    ("wished", "there", "in_the_way"),
    [
        ("0.0.0.0", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.42.0.10", False),
        ("0.0.0.0", "::", True),
        ("10.42.0.10", "::", True),
        ("::", "127.0.0.1", True),
        ("0.0.0.0", "::1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("::1", "0.0.0.0", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_what_is_in_the_way_of_what(wished, there, in_the_way):
    assert listeners.collides(wished, there) is in_the_way


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/prometheus-node-exporter.service\n", "prometheus-node-exporter.service"),
        ("12:memory:/x\n1:name=systemd:/system.slice/nginx.service\n", "nginx.service"),
        ("0::/system.slice/docker.service/abc/nested.service/x\n", "nested.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", None),
        ("", None),
    ],
)
def test_unit_is_the_innermost_service(text, unit):
    assert listeners.unit_of(text) == unit


def test_own_socket_is_found_with_its_process():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = listeners.listening(port)
    assert (found["address"], found["port"], found["pid"]) == ("127.0.0.1", port, os.getpid())
    assert found["command"]
    assert listeners.listening(port) == []
