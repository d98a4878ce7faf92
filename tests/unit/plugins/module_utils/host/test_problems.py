# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What host_preflight refuses, in words."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import problems

WEB = {"port": 5000, "unit": "web.service", "address": "0.0.0.0", "setting": "web_port"}
NGINX = {"address": "0.0.0.0", "port": 5000, "pid": 312, "command": "nginx", "unit": "nginx.service"}


def wish(**other):
    return {"systemd": True, "ports": [], "free": [], "directories": [], "paths": [], "contents": [], **other}


def seen(**other):
    return {"systemd": True, "ports": {}, "free": {}, **other}


def test_nothing_is_wrong():
    assert problems.of_input(wish()) == [] and problems.all_of(wish(), seen()) == []


def test_no_systemd_is_only_wrong_where_it_is_wanted():
    (message,) = problems.all_of(wish(), seen(systemd=False))
    assert "does not run systemd" in message and "Use a host that boots with it" in message
    assert problems.all_of(wish(systemd=False), seen(systemd=False)) == []


def test_the_holder_of_a_port_is_named_once():
    holders = [NGINX, {**NGINX, "address": "::"}]
    assert problems.all_of(wish(ports=[WEB]), seen(ports={"5000": holders})) == [
        "web_port is 5000: nginx (pid 312, nginx.service) listens there already, on 0.0.0.0 and ::. Stop it, or choose another web_port."
    ]


def test_own_service_and_another_address_are_no_problem():
    assert problems.port_problems(WEB, [{**NGINX, "unit": "web.service"}]) == []
    assert problems.port_problems({**WEB, "address": "127.0.0.1"}, [{**NGINX, "address": "10.0.0.1"}]) == []


def test_holder_without_a_unit_or_a_name_is_in_the_way_of_a_port_without_unit():
    bare = {**WEB, "unit": None, "setting": None}
    (message,) = problems.port_problems(bare, [{**NGINX, "pid": None, "command": None, "unit": None}])
    assert message.startswith("Port 5000: a process that /proc does not show listens there already")


def test_too_little_space():
    space = {"path": "/var/lib/docker", "mib": 4000, "setting": "docker_data_root", "reason": "images"}
    assert problems.all_of(wish(free=[space]), seen(free={"/var/lib/docker": 120})) == [
        "/var/lib/docker has 120 MiB free: 4000 MiB are needed for images. Make room or enlarge its file system, "
        "or choose another docker_data_root."
    ]
    assert problems.space_problems({**space, "setting": None, "reason": None}, 4000) == []


def test_values_that_are_wrong_on_any_host():
    folder = {"path": "srv", "owner": None, "group": None, "mode": "u+x"}
    bad = {**WEB, "port": 0, "address": "here"}
    told = problems.of_input(wish(ports=[bad], directories=[folder], paths=["etc"], free=[{"path": "~"}]))
    assert len(told) == 6 and all(message.endswith(".") for message in told)
