# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas against launches: what fits, what falls out, what is not known."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import limits_vcpu
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Limits, Need, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.quota import patterns, quota, same
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts

G, G_SPOT, P, P5_SPOT = "L-DB2E81BA", "L-3819A6DF", "L-417A185B", "L-C4BD4855"
SIZES = {
    "g5.xlarge": 4,
    "g5.12xlarge": 48,
    "g5.48xlarge": 192,
    "p5.48xlarge": 192,
    "p4d.24xlarge": 96,
    "t3.large": 2,
    "p6-b200.48xlarge": 192,
}
TYPES = {name: TypeFacts(name, vcpus=vcpus) for name, vcpus in SIZES.items()}
ON_DEMAND = Offer("g5.xlarge", "us-east-1a", "on_demand")
SPOT = Offer("g5.xlarge", "us-east-1a", "spot")
LARGE = Offer("g5.48xlarge", "us-east-1a", "on_demand")


def limits(used=None, types=TYPES, **allowed):
    quotas = {{"g": G, "spot": G_SPOT, "p": P, "p5": P5_SPOT}[key]: Allowed(value) for key, value in allowed.items()}
    return Limits(frozenset({"train"}), types, quotas, {} if used is None else used)


def need(*offers, count=2, least=None, together=False):
    return Need("train", count, count if least is None else least, together, offers or (ON_DEMAND,))


def verdicts(asked, known, refused=False, taken=None):
    return [(one.code, one.verdict) for one in limits_vcpu.lines(asked, known, "us-east-1", refused, taken or {})]


@pytest.mark.parametrize(
    ("name", "market", "code"),
    [
        ("p5.48xlarge", "on_demand", P),
        ("p5en.48xlarge", "spot", P5_SPOT),
        ("p4d.24xlarge", "spot", "L-7212CCBC"),
        ("p3dn.24xlarge", "spot", "L-7212CCBC"),
        ("p6-b200.48xlarge", "on_demand", P),
        ("p6-b200.48xlarge", "spot", None),
        ("gr6.4xlarge", "spot", G_SPOT),
        ("trn1.32xlarge", "on_demand", None),
        ("p5.48xlarge", "capacity_block", None),
    ],
)
def test_the_quota_of_a_type(name, market, code):
    found = quota(name, market)
    assert (found.code if found else None) == code


def test_what_shares_a_quota():
    assert same("p4d.24xlarge", "p5.48xlarge", "on_demand") and not same("p4d.24xlarge", "p5.48xlarge", "spot")
    assert same("p6-b200.48xlarge", "p6-b300.48xlarge", "spot"), "of which none is known: they are taken to share one"
    assert not same("p6-b200.48xlarge", "p5.48xlarge", "spot")
    assert patterns(["g5.xlarge", "p5.48xlarge"]) == ["g*", "gr*", "p*", "vt*"]
    assert "t*" in patterns(["t3.large"]) and patterns(["trn1.2xlarge"]) == ["trn*"]


def test_what_fits():
    (line,) = limits_vcpu.lines(need(), limits({G: 32}, g=40), "us-east-1", False, {})
    assert (line.verdict, line.needed, line.used, line.allowed, line.code) == ("ok", 8, 32, 40, G)
    assert not limits_vcpu.against(ON_DEMAND, need(), limits({G: 32}, g=40))
    assert limits_vcpu.most(need(), limits({G: 32}, g=47), {}) == 3


def test_what_does_not():
    assert limits_vcpu.most(need(), limits({G: 33}, g=36), {}) == 0
    assert "leaves 3 vCPUs, and 1 × g5.xlarge need 4" in limits_vcpu.against(ON_DEMAND, need(), limits({G: 33}, g=36))
    (line,) = limits_vcpu.lines(need(), limits({G: 33}, g=36), "eu-west-1", True, {})
    assert line.verdict == "refused" and line.text.endswith("--quota-code L-DB2E81BA --desired-value 41 --region eu-west-1")


def test_a_pool_that_is_spread_takes_what_there_is_of_each_quota():
    asked = need(ON_DEMAND, SPOT, count=4)
    known = limits(g=8, spot=8)
    assert limits_vcpu.most(asked, known, {}) == 4
    assert verdicts(asked, known) == [(G, "warning"), (G_SPOT, "warning")]
    assert all("not all of them fit" in one.text for one in limits_vcpu.lines(asked, known, "us-east-1", False, {}))


def test_a_gang_takes_all_from_one_quota():
    asked = need(ON_DEMAND, SPOT, count=4, together=True)
    assert limits_vcpu.most(asked, limits(g=8, spot=8), {}) == 0
    assert limits_vcpu.most(asked, limits(g=8, spot=16), {}) == 4
    assert limits_vcpu.against(ON_DEMAND, asked, limits(g=8, spot=16)) and not limits_vcpu.against(SPOT, asked, limits(g=8, spot=16))


def test_a_reservation_takes_no_quota():
    """It counts from when it was made."""
    reserved = Offer("g5.xlarge", "us-east-1a", "reservation", 0.0, "cr-1", 2)
    assert limits_vcpu.most(need(reserved), limits(g=0), {}) == 2
    assert not limits_vcpu.against(reserved, need(reserved), limits(g=0)) and verdicts(need(reserved), limits(g=0)) == []
    assert limits_vcpu.most(need(reserved, ON_DEMAND, count=3), limits(g=4), {}) == 3
    assert limits_vcpu.most(need(reserved._replace(available=None)), limits(g=0), {}) is None


def test_what_is_not_known_rules_out_nothing():
    unread = Limits(frozenset({"train"}), TYPES, {G: Unknown("no")}, Unknown("no"))
    assert verdicts(need(), unread) == [(G, "unknown")] and limits_vcpu.most(need(), unread, {}) is None
    assert not limits_vcpu.against(ON_DEMAND, need(), unread)
    no_types = limits(g=0, types=Unknown("ec2:DescribeInstanceTypes is not allowed"))
    assert verdicts(need(), no_types) == [(G, "unknown")] and not limits_vcpu.against(ON_DEMAND, need(), no_types)
    odd = Offer("p6-b200.48xlarge", "us-east-1a", "spot")
    assert verdicts(need(odd), limits()) == [(None, "unknown")] and limits_vcpu.most(need(odd), limits(), {}) is None
    assert not limits_vcpu.against(ON_DEMAND, need(), Limits())


def test_an_unknown_use_still_rules_out_what_is_larger_than_the_whole_quota():
    known = limits(g=100)._replace(used=Unknown("more than 1000 instances run"))
    assert limits_vcpu.against(LARGE, need(LARGE), known) and not limits_vcpu.against(ON_DEMAND, need(), known)
    (line,) = limits_vcpu.lines(need(), known, "us-east-1", False, {})
    assert (line.verdict, line.used) == ("unknown", None) and "more than 1000 instances run" in line.text


def test_the_type_that_fits_is_the_one_that_is_told_of():
    (line,) = limits_vcpu.lines(need(LARGE, ON_DEMAND), limits(g=16), "us-east-1", False, {})
    assert (line.verdict, line.needed) == ("warning", 8) and "g5.48xlarge would not fit and falls out" in line.text


def test_what_other_pools_cannot_do_without_is_gone():
    assert limits_vcpu.takes(need(count=3, least=2), limits(g=16)) == {G: 8}
    assert limits_vcpu.takes(need(ON_DEMAND, SPOT), limits(g=16)) == {}, "it may go elsewhere"
    assert limits_vcpu.takes(need(ON_DEMAND, Offer("g5.xlarge", "a", "reservation", 0.0, "cr-1", 1)), limits(g=16)) == {}
    assert limits_vcpu.most(need(), limits(g=12), {G: 8}) == 1
    assert verdicts(need(), limits(g=12), True, {G: 8}) == [(G, "refused")]


def instance(name, cores=None, **more):
    cpu = {"CpuOptions": {"CoreCount": cores, "ThreadsPerCore": 2}} if cores else {}
    return {"InstanceId": "i-1", "InstanceType": name, **cpu, **more}


def test_what_is_in_use():
    running = [
        instance("g5.xlarge", 2),
        instance("g5.12xlarge"),
        instance("g5.xlarge", 2, InstanceLifecycle="spot"),
        instance("p5.48xlarge", 96, InstanceLifecycle="capacity-block"),
        instance("p5.48xlarge", 96, InstanceLifecycle="spot"),
        instance("g5.xlarge", 2, Placement={"Tenancy": "host"}),
        instance("trn1.2xlarge", 4),
    ]
    assert limits_vcpu.count_used(running, TYPES) == {G: 52, G_SPOT: 4, P5_SPOT: 192}
    assert isinstance(limits_vcpu.count_used([instance("g6.xlarge")], TYPES), Unknown)
