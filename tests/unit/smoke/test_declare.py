# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack and the inventory of a smoke test."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse
from smoke import declare
from smoke.wish import wish_of

BEGUN = datetime.datetime(2026, 1, 2, 23, 0, tzinfo=datetime.UTC)
SANDBOX = {"MLINFRA_LOCAL_ONLY": "1", "AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}


def wish(sandbox: bool = False):
    asked = {"ACCOUNT": "111122223333", "MAX_USD": "2", "CIDR": "203.0.113.7/32", "YES": "1"}
    found, problems = wish_of(asked, SANDBOX if sandbox else {}, sandbox, attended=False)
    assert problems == []
    return found


@pytest.mark.parametrize("zones", [[], ["us-east-1b", "us-east-1a"]])
def test_the_declaration_is_valid_and_bounded(zones):
    variables = declare.variables(wish(), "smoke-0a1b2c", "/keys/id.pub", zones, BEGUN)
    document = {name.removeprefix("aws_stack_"): value for name, value in variables.items() if name.startswith("aws_stack_")}
    document["key"] = {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rWJ1n1u0Q2n0cVqkL0l3yZcM0aXH6o5GvC3y8yZ1a someone"}
    stack, _control = parse(document)
    (pool,) = stack.pools
    assert (pool.count, pool.market, pool.max_hourly_usd) == (1, ("spot",), 1.47)
    assert stack.network.access.cidrs == ("203.0.113.7/32",)
    assert stack.scope.stack == "smoke-0a1b2c" and stack.scope.account_id == "111122223333"


def test_a_host_that_nobody_ends_powers_itself_off_after_the_time_that_was_paid_for():
    (pool,) = declare.variables(wish(), "smoke-0a1b2c", "/keys/id.pub", [], BEGUN)["aws_stack_pools"]
    assert pool["user_data"].startswith("#!/bin/sh\n")
    assert "OnCalendar=2026-01-03 00:20:00 UTC\n" in pool["user_data"]


def test_the_network_is_where_the_offers_are_cheapest_first():
    offers = [{"zone": zone} for zone in ("c", "a", "c", "d", "b")]
    assert declare.zones_of(offers) == ["c", "a", "d"]
    assert declare.zones_of([]) == []


def test_on_aws_the_roles_do_all_that_they_do_by_default():
    assert set(declare.host_variables(wish())) == {"ansible_python_interpreter", "nvidia_driver_reboot"}
    assert "address" not in declare.inventory(wish(), "smoke-0a1b2c", "key", "known")
    assert declare.host_variables(wish(sandbox=True))["nvidia_driver_kernel_modules"] is False
