# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role host_baseline decides about a host that it has read."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.template import trust_as_template

LIST, DEB822 = "/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"
MIRROR = "/etc/apt/sources.list.d/mlinfra-mirror.sources"


@pytest.fixture
def moves(value_of):
    """Function (paths that are there, mirror) → {from: to} of the sources that are renamed."""

    def value(there, mirror):
        known = [LIST, DEB822, MIRROR, LIST + ".disabled", DEB822 + ".disabled"]
        found = {"paths": {path: {"exists": path in there} for path in known}}
        given = {"__host_baseline_found": found, "mlinfra_mirrors": {"apt": mirror}}
        return {one["from"]: one["to"] for one in value_of("host_baseline", "_host_baseline_sources_to_move", **given)}

    return value


def test_sources_are_put_aside_for_a_mirror(moves):
    assert moves([LIST, DEB822], "http://mirror.example") == {LIST: LIST + ".disabled", DEB822: DEB822 + ".disabled"}
    assert moves([MIRROR, DEB822 + ".disabled"], "http://mirror.example") == {}


def test_sources_come_back_when_the_mirror_goes(moves):
    assert moves([MIRROR, DEB822 + ".disabled"], "") == {DEB822 + ".disabled": DEB822}


def test_what_somebody_else_put_aside_stays_there(moves):
    assert moves([DEB822 + ".disabled"], "") == {}
    assert moves([MIRROR, DEB822, DEB822 + ".disabled"], "") == {}


@pytest.mark.parametrize(
    ("soft", "hard", "refused"), [(1024, 1048576, False), (1024, 1048577, True), (1025, 1024, True), (100, 2000, True)]
)
def test_limits_that_would_end_every_login_are_refused(value_of, soft, hard, refused):
    told = value_of("host_baseline", "_host_baseline_bad_nofile", host_baseline_nofile_soft=soft, host_baseline_nofile=hard)
    assert bool(told) is refused


@pytest.mark.parametrize("given", ["{{ nobody_knows }}", ["{{ nobody_knows }}"]])
def test_what_is_undefined_is_named(value_of, given):
    servers = [trust_as_template(one) for one in given] if isinstance(given, list) else trust_as_template(given)
    known = {"__host_baseline_found": {"platform_names": ["Debian-12"]}, "host_baseline_time_servers": servers, "inventory_hostname": "h1"}
    with pytest.raises(AnsibleUndefinedVariable, match="'nobody_knows' is undefined"):
        value_of("host_baseline", "_host_baseline_refusals", **known)
