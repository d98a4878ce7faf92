# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says of quotas, addresses, keys, roles and routes before anything is made, and what that costs in requests."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import pool

GPUS, SPOT_GPUS, GP3 = "L-DB2E81BA", "L-3819A6DF", "L-7A658B76"
SPOT_ROLE = "arn:aws:iam::123456789012:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"


@pytest.fixture
def plan(lab):
    def run(*pools, **more):
        return lab.pools(*pools, check=True, **more)

    return run


def findings(told, check=None):
    return {(one["pool"], one["check"]): one for one in told["preflight"]} if check is None else [
        one for one in told["preflight"] if one["check"] == check
    ]  # fmt: skip


def refused(run, *pools, **more):
    with pytest.raises(StackError) as caught:
        run(*pools, **more)
    return caught.value


def denied(lab, *calls):
    for service, action in calls:
        lab.aws.fault(service=service, action=action, code="AccessDeniedException", message="no", status=400, times=0)


def test_everyday(lab, plan, go, writes):
    told = plan(pool(), buckets=None)
    found = findings(told)
    assert {key: one["verdict"] for key, one in found.items()} == {
        ("train", "vcpu_quota"): "ok",
        ("train", "addresses"): "ok",
        ("train", "storage_quota"): "ok",
    }
    quota = found["train", "vcpu_quota"]
    assert (quota["needed"], quota["used"], quota["allowed"], quota["code"]) == (8, 0, 100000, GPUS)
    assert quota["text"].startswith("2 × g5.xlarge need 8 vCPUs; Running On-Demand G and VT instances allows 100000, 0 are in use")
    json.dumps(told)
    made = go(pool(), expect_plan=told["plan_id"])
    assert made["changed"] and made["warnings"] == []
    more = findings(plan(pool(count=3)))["train", "vcpu_quota"]
    assert (more["needed"], more["used"]) == (4, 8)


def test_what_it_costs(lab, go):
    """Nothing for who launches nothing, and nothing of it twice under the lock."""
    go()
    lab.calls()
    go()
    before = lab.calls()
    assert not {name for name in before if name.startswith(("servicequotas:", "iam:", "kms:"))}
    assert "ec2:DescribeInstanceTypes" not in before
    go(pool())
    calls = lab.calls()
    assert calls["ec2:DescribeInstanceTypes"] == 1 and calls["servicequotas:GetServiceQuota"] == 2
    assert not {name for name in calls if name.startswith(("iam:", "kms:"))}
    told = go(pool())
    assert told["preflight"] == [] and not told["changed"]
    assert not {name for name in lab.calls() if name.startswith(("servicequotas:", "ec2:DescribeInstanceTypes"))}


def test_the_most_that_it_costs(lab, plan):
    """Of a launch in two markets, with a key of the customer's: at most these."""
    key = lab.client("kms").create_key()["KeyMetadata"]["Arn"]
    lab.calls()
    plan(pool(market=["spot", "on_demand"]))
    usual = lab.calls()
    extra = ("servicequotas:GetServiceQuota", "ec2:DescribeInstanceTypes", "iam:GetRole")
    assert sum(usual.get(name, 0) for name in extra) + 1 == 6, "and one DescribeInstances"
    plan(pool(market=["spot", "on_demand"], disk={"kms_key": key}))
    calls = lab.calls()
    more = {name: count - usual.get(name, 0) for name, count in calls.items() if count != usual.get(name, 0)}
    assert more == {"kms:DescribeKey": 1, "kms:ListGrants": 1, "kms:GetKeyPolicy": 1}


@pytest.mark.parametrize("check", [True, False])
def test_a_pool_that_the_quota_rules_out_is_refused_before_the_first_write(lab, plan, go, writes, check):
    lab.aws.quotas({GPUS: 4})
    lab.calls()
    error = refused(plan if check else go, pool())
    assert "pools.train: 2 × g5.xlarge need 8 vCPUs; Running On-Demand G and VT instances allows 4, 0 are in use" in error.message
    assert "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 8" in error.message
    (line,) = [one for one in error.result()["preflight"] if one["verdict"] == "refused"]
    assert (line["needed"], line["used"], line["allowed"], line["code"]) == (8, 0, 4, GPUS)
    assert error.result()["path"] == "pools.train" and writes(lab.calls()) == {}


def test_what_runs_already_counts(lab, go):
    lab.aws.quotas({GPUS: 12})
    go(pool())
    error = refused(go, pool(count=4))
    assert "2 × g5.xlarge need 8 vCPUs" in error.message and "allows 12, 8 are in use" in error.message
    assert len(lab.alive()) == 2
    assert go(pool(count=3))["summary"]["create"] == 1


def test_an_offer_that_does_not_fit_is_not_tried(lab, go):
    lab.aws.quotas({SPOT_GPUS: 0})
    told = go(pool(market=["spot", "on_demand"]))
    assert {one["market"] for one in told["offers"]["train"]} == {"on_demand"}
    assert {(one["market"], one["code"]) for one in told["offers_tried"]} == {("on_demand", None)}
    assert not lab.pools(pool(market=["spot", "on_demand"]))["changed"]
    spot, other = findings(told, "vcpu_quota")
    assert (spot["verdict"], spot["code"], other["verdict"]) == ("warning", SPOT_GPUS, "ok")
    assert "g5.xlarge falls out there" in spot["text"]
    assert any("L-3819A6DF" in said for said in told["warnings"])


def test_the_plan_id_does_not_hang_on_quotas(lab, plan):
    before = plan(pool(market=["spot", "on_demand"]))
    lab.aws.quotas({SPOT_GPUS: 0})
    after = plan(pool(market=["spot", "on_demand"]))
    assert before["plan_id"] == after["plan_id"] and before["preflight"] != after["preflight"]


def test_larger_types_fall_out_and_smaller_ones_stay(lab, plan):
    lab.aws.quotas({GPUS: 16})
    told = plan(pool(instance_types=["g5.48xlarge", "g5.xlarge"]))
    assert {one["instance_type"] for one in told["offers"]["train"]} == {"g5.xlarge"}
    (line,) = findings(told, "vcpu_quota")
    assert line["verdict"] == "warning" and "g5.48xlarge would not fit and falls out" in line["text"]


def test_a_gang_wants_all_of_it(lab, plan):
    lab.aws.quotas({GPUS: 8})
    assert "3 × g5.xlarge need 12 vCPUs" in refused(plan, pool(count=3, spread=False)).message
    told = plan(pool(count=3, min=2, spread=False))
    assert findings(told, "vcpu_quota")[0]["verdict"] == "warning"


def test_two_pools_share_a_quota(lab, plan):
    lab.aws.quotas({GPUS: 12})
    error = refused(plan, pool(), pool(name="other"))
    assert "pools.other: 2 × g5.xlarge need 8 vCPUs" in error.message and "8 are for other pools of this plan" in error.message
    assert "pools.train:" not in error.message


def test_more_that_cannot_be_had_than_min_wants_is_left_to_ec2(lab, go):
    go(pool())
    lab.aws.quotas({GPUS: 8})
    lab.aws.fault(service="ec2", action="RunInstances", code="VcpuLimitExceeded", message="none", status=400, times=0)
    told = go(pool(count=3, min=2))
    assert told["summary"]["pending"] == 1 and findings(told, "vcpu_quota")[0]["verdict"] == "warning"


def test_an_account_without_a_value_has_the_default(lab, plan):
    lab.aws.quotas({GPUS: None, GP3: None})
    error = refused(plan, pool())
    assert "allows 0, AWS's default, 0 are in use" in error.message
    storage = next(one for one in error.result()["preflight"] if one["check"] == "storage_quota")
    assert (storage["verdict"], storage["allowed"]) == ("ok", 50)


def test_disks_that_the_storage_quota_rules_out(lab, plan):
    lab.aws.quotas({GP3: 1})
    error = refused(plan, pool(disk={"gib": 1024}))
    assert "pools.train.disk.gib: 2 × 1024 GiB are 2 TiB" in error.message and "--service-code ebs" in error.message
    assert findings(plan(pool(disk={"gib": 100})))["train", "storage_quota"]["needed"] == 0.195


def test_who_may_not_look_is_told_so_and_goes_on(lab, go):
    denied(lab, ("servicequotas", "GetServiceQuota"), ("iam", "GetRole"), ("ec2", "DescribeInstanceTypes"), ("kms", "DescribeKey"))
    told = go(pool(market=["spot"], disk={"kms_key": "alias/mine"}))
    found = {one["check"]: one for one in told["preflight"]}
    assert {check: one["verdict"] for check, one in found.items()} == {
        "vcpu_quota": "unknown",
        "storage_quota": "unknown",
        "spot_role": "unknown",
        "kms_key": "unknown",
        "addresses": "ok",
    }
    assert "servicequotas:GetServiceQuota is not allowed, grant it" in found["storage_quota"]["text"]
    assert "iam:CreateServiceLinkedRole" in found["spot_role"]["text"]
    assert told["warnings"] == [] and len(lab.alive()) == 2


def test_quotas_that_do_not_answer_fail_nothing(lab, plan):
    lab.aws.fault(service="servicequotas", action="GetServiceQuota", code="ServiceException", message="no", status=400, times=0)
    told = plan(pool())
    assert findings(told)["train", "vcpu_quota"]["verdict"] == "unknown"
    assert "ServiceException" in findings(told)["train", "vcpu_quota"]["text"]


def test_the_role_of_spot_is_made_by_the_first_request(lab, plan, go):
    first = findings(plan(pool(market=["spot"])))["train", "spot_role"]
    assert first["verdict"] == "warning" and "iam:CreateServiceLinkedRole" in first["text"]
    assert any("AWSServiceRoleForEC2Spot" in said for said in go(pool(market=["spot"]))["warnings"])
    assert findings(plan(pool(market=["spot"], count=3)))["train", "spot_role"]["verdict"] == "ok"


def existing(lab, cidr="10.60.0.0/28", zones=("us-east-1a",), nat=False, blackhole=False):
    """The network section for a VPC of somebody else's with one small subnet a zone."""
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    ids = []
    for number, zone in enumerate(zones):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr.replace("60.0.0", f"60.{number}.0"), AvailabilityZone=zone)
        ids.append(made["Subnet"]["SubnetId"])
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    if nat or blackhole:
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        gateway = ec2.create_nat_gateway(SubnetId=ids[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
        ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    return {"existing": {"vpc": {"id": vpc}, "subnets": {"ids": ids}, "security_groups": {"ids": [group]}}, "private": True}


def test_a_gang_finds_its_addresses_in_one_zone(lab, plan, writes):
    network = existing(lab, zones=("us-east-1a", "us-east-1b"), nat=True)
    lab.calls()
    wish = pool(count=12, spread=False)
    error = refused(plan, wish, network=network)
    assert "pools.train: it takes 12 addresses in one zone; free are 10 in us-east-1a, 11 in us-east-1b" in error.message
    assert "Use a larger subnet" in error.message and writes(lab.calls()) == {}
    assert findings(plan(pool(count=12), network=network))["train", "addresses"]["allowed"] == 21
    told = plan(pool(count=11, spread=False), network=network)
    assert {one["zone"] for one in told["offers"]["train"]} == {"us-east-1b"}
    assert findings(told)["train", "addresses"]["text"].endswith("us-east-1a falls out")


def test_subnets_that_are_not_made_yet_have_their_planned_size(plan):
    told = plan(pool(), network={"cidr": "10.42.0.0/24", "zone_count": 2, "access": {"cidrs": ["192.0.2.0/24"]}})
    line = findings(told)["train", "addresses"]
    assert line["allowed"] == 22 and "free are 11 in us-east-1a, 11 in us-east-1b" in line["text"]


def test_subnets_without_a_way_to_packages(lab, plan, go):
    line = findings(plan(pool(), network=existing(lab)))["train", "way_out"]
    assert line["verdict"] == "warning" and "has no route to 0.0.0.0/0" in line["text"] and "mlinfra_mirrors" in line["text"]


def test_subnets_behind_nat(lab, plan):
    assert findings(plan(pool(), network=existing(lab, nat=True)))["train", "way_out"]["verdict"] == "ok"


def test_a_private_network_of_ours_without_nat_is_said_once(lab, go):
    network = {"cidr": "10.42.0.0/16", "zone_count": 1, "private": True, "access": {"cidrs": ["10.0.0.0/8"]}}
    told = go(pool(count=1), network=network)
    assert findings(told)["train", "way_out"]["verdict"] == "warning"
    assert told["warnings"] == [], "advice says it in every run"


def test_a_key_that_encrypts_nothing(lab, plan):
    kms = lab.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    assert findings(plan(pool(disk={"kms_key": key})))["train", "kms_key"]["verdict"] == "ok"
    kms.disable_key(KeyId=key)
    wrong = {
        key: "is Disabled: EC2 cannot use it",
        signing: "is a key of ECC_NIST_P256",
        "alias/nobody": "us-east-1 has no such key for this account",
        "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555": "the key is in eu-west-1",
    }
    for name, said in wrong.items():
        error = refused(plan, pool(disk={"kms_key": name}))
        assert error.result()["path"] == "pools.train.disk.kms_key" and said in error.message


def test_spot_needs_a_grant_for_a_key_of_the_customer(lab, plan):
    kms = lab.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    wish = pool(market=["spot"], disk={"kms_key": key})
    line = findings(plan(wish))["train", "spot_key_grant"]
    assert line["verdict"] == "warning" and f"--grantee-principal {SPOT_ROLE}" in line["text"]
    operations = ["CreateGrant", "Decrypt", "GenerateDataKeyWithoutPlaintext"]
    kms.create_grant(KeyId=key, GranteePrincipal=SPOT_ROLE, Operations=operations)
    assert findings(plan(wish))["train", "spot_key_grant"]["verdict"] == "ok"
    assert ("train", "spot_key_grant") not in findings(plan(pool(disk={"kms_key": key})))
