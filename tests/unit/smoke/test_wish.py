# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a smoke test is refused for before anything is called, and what its money allows."""

from __future__ import annotations

import pytest

from smoke import cost
from smoke.wish import wish_of

GOOD = {"ACCOUNT": "111122223333", "MAX_USD": "2", "CIDR": "203.0.113.7/32"}
SANDBOX = {"MLINFRA_LOCAL_ONLY": "1", "AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}


def refusals(environment: dict | None = None, sandbox: bool = False, attended: bool = True, **asked: str) -> list[str]:
    wish, problems = wish_of({**GOOD, **asked}, environment or {}, sandbox, attended)
    assert (wish is None) == bool(problems)
    return problems


def test_what_is_left_out_is_spot_alone_in_us_east_1():
    wish, problems = wish_of(GOOD, {}, sandbox=False, attended=True)
    assert problems == []
    assert (wish.region, wish.markets, wish.cidr, wish.sandbox) == ("us-east-1", ("spot",), "203.0.113.7/32", False)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ACCOUNT": ""}, "ACCOUNT is missing: expected the 12 digits"),
        ({"ACCOUNT": "1111-2222-3333"}, "ACCOUNT is 1111-2222-3333: expected the 12 digits"),
        ({"MAX_USD": ""}, "MAX_USD is missing: expected the most that this run may cost"),
        ({"MAX_USD": "two"}, "MAX_USD is two: expected"),
        ({"MAX_USD": "0"}, "MAX_USD is 0: expected"),
        ({"MAX_USD": "-1"}, "MAX_USD is -1: expected"),
        ({"MAX_USD": "nan"}, "MAX_USD is nan: expected"),
        ({"MAX_USD": "inf"}, "MAX_USD is inf: expected"),
        ({"MAX_USD": "0.1"}, "MAX_USD is 0.1: 0.1 USD for at most 60 + 20 minutes are 0.0450 USD an hour"),
        ({"CIDR": ""}, "CIDR is missing"),
        ({"CIDR": "0.0.0.0/0"}, "CIDR is 0.0.0.0/0: that lets 4294967296 addresses in by ssh"),
        ({"CIDR": "203.0.113.7/24"}, "CIDR is 203.0.113.7/24: expected an IPv4 range (203.0.113.7/24 has host bits set)"),
        ({"CIDR": "2001:db8::1/128"}, "CIDR is 2001:db8::1/128: expected an IPv4 range"),
        ({"REGION": "Virginia"}, "REGION is Virginia: expected a region of AWS"),
        ({"MARKET": "spot,reserved"}, "MARKET is spot,reserved: expected spot, on_demand"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(asked, said):
    (problem,) = refusals(**asked)
    assert problem.startswith(said), problem


def test_all_that_is_wrong_is_said_at_once():
    assert len(refusals(ACCOUNT="1", MAX_USD="x", CIDR="", REGION="x", MARKET="x")) == 5


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"])
def test_ci_begins_none_by_accident(name):
    assert refusals({name: "true"})[0].startswith(f"{name} is set: this looks like CI")
    assert refusals({name: "true"}, IN_CI="1") == []
    assert refusals({name: ""}) == refusals({name: "false"}) == []


def test_without_a_terminal_the_cost_is_agreed_to_beforehand():
    assert "Give YES=1" in refusals(attended=False)[0]
    assert refusals(attended=False, YES="1") == []


def test_aws_and_the_sandbox_are_not_mistaken_for_each_other():
    assert "AWS_ENDPOINT_URL is set" in refusals({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"})[0]
    assert "MLINFRA_LOCAL_ONLY is set" in refusals(SANDBOX)[0]
    assert "--sandbox wants the sandbox's environment" in refusals(sandbox=True)[0]
    assert "--sandbox wants" in refusals({"AWS_ENDPOINT_URL": "https://ec2.us-east-1.amazonaws.com"}, sandbox=True)[0]
    wish, problems = wish_of({**GOOD, "CIDR": ""}, SANDBOX, sandbox=True, attended=True)
    assert problems == [] and wish.cidr == "10.77.0.0/20"


@pytest.mark.parametrize("most", [0.2, 1, 2, 3.33, 10])
def test_the_worst_case_is_within_the_bound(most):
    hourly = cost.most_hourly(most)
    assert hourly > 0
    assert most - 0.001 < cost.worst(hourly) <= most


def test_the_least_that_is_asked_for_is_enough():
    assert refusals(MAX_USD=str(cost.least())) == []


def test_an_estimate_is_of_what_ran_and_unknown_without_a_price():
    assert cost.estimate(0.5, 1800) == pytest.approx((0.5 + cost.BESIDE_HOURLY) / 2)
    assert cost.estimate(0.5, 1) == cost.estimate(0.5, 60)
    assert cost.estimate(None, 1800) is None
