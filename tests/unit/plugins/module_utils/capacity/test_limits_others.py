# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, storage, keys, routes, EFA and the role of spot against launches."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import (
    limits_addresses,
    limits_keys,
    limits_routes,
    limits_storage,
    limits_types,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Key, Limits, Line, Need, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import NetworkCard, TypeFacts

A, B = "us-east-1a", "us-east-1b"
ROLE = "arn:aws:iam::123456789012:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
ROOT = "arn:aws:iam::123456789012:root"
NO = Unknown("it is not allowed")


def need(count=2, least=None, together=False, names=("g5.xlarge",), **more):
    offers = tuple(Offer(name, zone, "on_demand") for name in names for zone in (A, B))
    return Need("train", count, count if least is None else least, together, offers, **more)


@pytest.mark.parametrize(
    ("asked", "free", "most", "verdict"),
    [
        (need(20), {A: 10, B: 10}, 20, "ok"),
        (need(21), {A: 10, B: 10}, 20, "refused"),
        (need(21, 20), {A: 10, B: 10}, 20, "warning"),
        (need(10, together=True), {A: 10, B: 9}, 10, "ok"),
        (need(11, together=True), {A: 10, B: 9}, 0, "refused"),
        (need(5, addresses=2), {A: 5, B: 3}, 3, "refused"),
        (need(3), {A: 0, B: None}, None, "unknown"),
    ],
)
def test_addresses(asked, free, most, verdict):
    found = limits_addresses.most(asked, free)
    assert found == most
    assert limits_addresses.line(asked, free, found is not None and found < asked.least).verdict == verdict


def test_a_zone_without_room_falls_out():
    gang = need(4, together=True)
    assert limits_addresses.against(gang.offers[0], gang, {A: 3, B: 4}) and not limits_addresses.against(gang.offers[1], gang, {A: 3, B: 4})
    assert not limits_addresses.against(need().offers[0], need(), {A: 1}) and limits_addresses.against(need().offers[0], need(), {A: 0})
    assert not limits_addresses.against(need().offers[0], need(), {}), "nobody knows"
    assert limits_addresses.planned("10.0.0.0/28") == 11


def test_storage():
    def verdict(allowed, taken=0.0, **more):
        return limits_storage.line(need(4, **more), 512, allowed, "us-east-1", taken).verdict

    assert [verdict(Allowed(2.0)), verdict(Allowed(1.0)), verdict(NO)] == ["ok", "refused", "unknown"]
    assert (
        verdict(Allowed(2.0), 1.0) == "refused"
        and verdict(Allowed(1.0), least=2) == "warning"
        and verdict(Allowed(0), least=0) == "warning"
    )


def key_lines(key, name="alias/mine", spot=True):
    found = limits_keys.lines("train", "pools.train.disk.kms_key", name, key, "us-east-1", ROLE, spot)
    return [(one.check, one.verdict) for one in found]


@pytest.mark.parametrize(
    ("key", "verdicts"),
    [
        (Key("Enabled", spot=True), ["ok", "ok"]),
        (Key("Enabled", spot=False), ["ok", "warning"]),
        (Key("Enabled", spot=NO), ["ok", "unknown"]),
        (Key("Enabled", customer=False), ["ok"]),
        (Key(""), ["refused"]),
        (Key("PendingDeletion"), ["refused"]),
        (Key("Enabled", usage="SIGN_VERIFY"), ["refused"]),
        (Key("Enabled", spec="RSA_2048"), ["refused"]),
        (NO, ["unknown"]),
    ],
)
def test_keys(key, verdicts):
    assert [verdict for _check, verdict in key_lines(key)] == verdicts
    assert [check for check, _verdict in key_lines(key, spot=False)] == ["kms_key"]


def test_a_key_of_another_region():
    assert limits_keys.elsewhere("arn:aws:kms:eu-west-1:123456789012:key/1", "us-east-1") == "eu-west-1"
    assert not limits_keys.elsewhere("arn:aws:kms:us-east-1:123456789012:alias/x", "us-east-1")
    assert not limits_keys.elsewhere("alias/mine", "us-east-1")
    assert key_lines(NO, "arn:aws:kms:eu-west-1:123456789012:key/1") == [("kms_key", "refused")]


def policy(principal, action, effect="Allow", **more):
    return json.dumps({"Statement": [{"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}]})


def standard(**condition):
    """What AWS' console writes for key users, in its two statements; the second one with this condition."""
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    grants = json.loads(policy({"AWS": ROLE}, ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"], Condition=condition))
    return json.dumps({"Statement": json.loads(policy({"AWS": ROLE}, use))["Statement"] + grants["Statement"]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (policy({"AWS": ROLE}, "kms:*"), True),
        (policy({"AWS": [ROOT, ROLE]}, ["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey*"]), True),
        (policy("*", "*"), True),
        (policy({"AWS": ROLE}, ["kms:Decrypt", "kms:GenerateDataKey*"]), False),
        (policy({"AWS": ROOT}, "kms:*"), False),
        (policy({"AWS": ROLE}, "kms:*", "Deny"), False),
        (policy({"AWS": "*"}, "kms:*", Condition={"StringEquals": {"kms:CallerAccount": "1"}}), False),
        (policy({"Service": "ec2.amazonaws.com"}, "kms:*"), False),
        (standard(Bool={"kms:GrantIsForAWSResource": "true"}), True),
        (standard(Bool={"kms:GrantIsForAWSResource": True}), True),
        (standard(Bool={"kms:GrantIsForAWSResource": "false"}), False),
        (standard(Bool={"kms:GrantIsForAWSResource": "true"}, StringEquals={"kms:ViaService": "rds.us-east-1.amazonaws.com"}), False),
        (policy({"AWS": ROLE}, "kms:*", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}), False),
        (policy({"AWS": ROLE}, "kms:*", Condition=["nonsense"]), False),
        ("nonsense", False),
        ("[]", False),
    ],
)
def test_who_a_key_policy_lets_in(text, expected):
    assert limits_keys.permitted(text, ROLE) is expected


def test_a_grant_is_for_the_role_and_has_what_is_needed():
    whole = {"GranteePrincipal": ROLE, "Operations": list(limits_keys.OPERATIONS)}
    assert limits_keys.granted([whole], ROLE)
    assert not limits_keys.granted([{**whole, "Operations": ["Decrypt"]}], ROLE)
    assert not limits_keys.granted([{**whole, "GranteePrincipal": ROOT}], ROLE)


def table(*routes, subnet=None):
    association = {"SubnetId": subnet} if subnet else {"Main": True}
    return {"Associations": [association], "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, *routes]}


def default(state="active", **target):
    return {"DestinationCidrBlock": "0.0.0.0/0", "State": state, **target}


@pytest.mark.parametrize(
    ("tables", "public", "verdict", "said"),
    [
        ([table(default(NatGatewayId="nat-1"))], False, "ok", ""),
        ([table(default(TransitGatewayId="tgw-1"))], False, "ok", ""),
        ([table(default(GatewayId="igw-1"))], True, "ok", ""),
        ([table(default(GatewayId="igw-1"))], False, "warning", "needs a public address"),
        ([table(default(GatewayId="igw-1"))], None, "unknown", "whether hosts get public addresses"),
        ([table(default("blackhole", NatGatewayId="nat-1"))], False, "warning", "leads to nat-1, which is gone"),
        ([table()], False, "warning", "subnet-1 has no route to 0.0.0.0/0"),
        ([], False, "warning", "no route"),
        ([table(default(NatGatewayId="nat-1")), table(subnet="subnet-1")], False, "warning", "no route"),
        ([table(), table(default(NatGatewayId="nat-1"), subnet="subnet-1")], False, "ok", ""),
        (NO, False, "unknown", "it is not allowed"),
    ],
)
def test_ways_out(tables, public, verdict, said):
    line = limits_routes.line("train", tables, {"subnet-1": public})
    assert line.verdict == verdict and said in line.text


def test_ways_out_of_our_own():
    assert "reach only s3" in limits_routes.closed("train", ("s3",)).text and "nothing outside" in limits_routes.closed("train", ()).text


def test_efa():
    cards = (NetworkCard(0, 2, False), NetworkCard(1, 2, True), NetworkCard(2, 2, True))
    types = {"p5.48xlarge": TypeFacts("p5.48xlarge", efa_maximum=2, network_cards=cards), "g5.xlarge": TypeFacts("g5.xlarge")}

    def line(*names, known=None):
        return limits_types.efa(need(names=names), Limits(types=types if known is None else known))

    assert (line("p5.48xlarge").verdict, line("p5.48xlarge").text) == ("ok", "p5.48xlarge has 2 on 2 cards")
    assert line("p5.48xlarge", "g5.xlarge").verdict == "warning" and line("g5.xlarge").verdict == "refused"
    assert line("g5.xlarge", "x9.new").verdict == "unknown" and line("g5.xlarge", known=NO).verdict == "unknown"


def test_the_role_of_spot():
    assert [limits_types.spot_role(need(), role).verdict for role in (True, False, NO, None)] == ["ok", "warning", "unknown", "unknown"]


def test_whole_numbers_are_told_as_such():
    told = Line("vcpu_quota", "train", "pools.train", "ok", "", 8.0, None, 0.5, "L-1").public()
    assert (repr(told["needed"]), told["used"], told["allowed"]) == ("8", None, 0.5)
