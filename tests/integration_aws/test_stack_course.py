# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an empty account to a whole stack and back, with the requests that it takes."""

from __future__ import annotations

import json

KINDS = {
    "vpc": 1,
    "subnet": 3,
    "internet_gateway": 1,
    "route_table": 1,
    "security_group": 1,
    "key_pair": 1,
    "bucket": 1,
    "repository": 1,
    "role": 1,
    "instance_profile": 1,
    "instance": 8,
}


def test_check_mode_is_complete_on_an_empty_account(lab, writes):
    result = lab.plan()
    assert result["changed"] is True
    assert result["summary"] == {"create": sum(KINDS.values())}
    assert {kind: sum(line["kind"] == kind for line in result["plan"]) for kind in KINDS} == KINDS
    assert all(line["id"] is None and line["before"] is None and line["after"] for line in result["plan"])
    outputs = result["outputs"]
    assert outputs["vpc_id"] is None
    assert outputs["buckets"] == {"data": "vision-dev-data-123456789012"}
    assert outputs["repositories"] == {"train": "123456789012.dkr.ecr.us-east-1.amazonaws.com/vision-dev/train"}
    assert (outputs["role"], outputs["instance_profile"], outputs["key_name"]) == ("vision-dev-hosts", "vision-dev-hosts", "vision-dev")
    assert outputs["pools"]["train"]["instance_ids"] == [None] * 8
    assert sorted(outputs["subnets"]) == ["public-us-east-1a", "public-us-east-1b", "public-us-east-1c"]
    assert writes(lab.calls()) == {}
    json.dumps(result)


def test_the_whole_course(lab, writes):
    planned = lab.plan()
    made = lab.run(expect_plan=planned["plan_id"])
    assert made["plan_id"] == planned["plan_id"]
    assert made["changed"] and made["summary"] == planned["summary"]
    assert all(line["id"] for line in made["plan"])
    assert len(set(made["outputs"]["pools"]["train"]["instance_ids"])) == 8
    assert all(made["outputs"]["pools"]["train"]["private_ips"])
    lab.calls()

    again = lab.run()
    calls = lab.calls()
    assert again["changed"] is False and again["diff"] == []
    assert again["summary"] == {"keep": sum(KINDS.values())}
    assert again["outputs"] == made["outputs"]
    assert writes(calls) == {}
    assert sum(calls.values()) <= 25, calls
    assert lab.plan()["plan_id"] == again["plan_id"]

    ended = lab.end()
    assert ended["changed"] and ended["remaining"] == []
    assert ended["summary"] == {"delete": sum(KINDS.values())}
    lab.calls()
    assert lab.end()["changed"] is False
    assert writes(lab.calls()) == {}


def test_everything_is_tagged_at_creation(lab):
    lab.run(pools=[{"name": "train", "count": 3, "instance_types": ["g5.xlarge"], "image": {"id": _image(lab)}, "tags": {"team": "cv"}}])
    ec2 = lab.client("ec2")
    tagged = {}
    for tag in ec2.describe_tags()["Tags"]:
        tagged.setdefault((tag["ResourceType"], tag["ResourceId"]), {})[tag["Key"]] = tag["Value"]
    kinds = {kind for kind, _id in tagged}
    assert {"vpc", "subnet", "internet-gateway", "route-table", "security-group", "key-pair", "instance", "volume"} <= kinds
    for (kind, _id), tags in tagged.items():
        if "mlinfra:stack" in tags:
            assert tags["cost-center"] == "ml" and tags["mlinfra:environment"] == "dev" and tags["mlinfra:schema"] == "1", (kind, tags)
    instance = next(tags for (kind, _id), tags in tagged.items() if kind == "instance")
    assert instance["team"] == "cv" and instance["mlinfra:pool"] == "train" and instance["mlinfra:access"] == "direct"
    assert instance["Name"] == "vision-dev-train"
    buckets = lab.client("s3").get_bucket_tagging(Bucket="vision-dev-data-123456789012")["TagSet"]
    assert {"Key": "cost-center", "Value": "ml"} in buckets
    role = lab.client("iam").get_role(RoleName="vision-dev-hosts")["Role"]
    assert role["Path"] == "/mlinfra/vision/dev/" and {"Key": "cost-center", "Value": "ml"} in role["Tags"]


def test_hosts_are_launched_as_they_should_be(lab):
    pool = {
        "name": "train",
        "count": 3,
        "instance_types": ["g5.xlarge"],
        "image": {"id": _image(lab)},
        "disk": {"gib": 200, "iops": 6000, "throughput": 500},
        "user_data": "#!/bin/sh\ntrue\n",
        "termination_protection": True,
    }
    result = lab.run(pools=[pool])
    ec2 = lab.client("ec2")
    hosts = [raw for raw in lab.instances() if raw["InstanceId"] in result["outputs"]["pools"]["train"]["instance_ids"]]
    assert {raw["Placement"]["AvailabilityZone"] for raw in hosts} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    for raw in hosts:
        assert raw["MetadataOptions"]["HttpTokens"] == "required" and raw["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
        assert raw["IamInstanceProfile"]["Arn"].endswith("/mlinfra/vision/dev/vision-dev-hosts") and raw["KeyName"] == "vision-dev"
        assert raw["PublicIpAddress"]
        volume = ec2.describe_volumes(VolumeIds=[raw["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
        assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (200, "gp3", True)
        assert (volume["Iops"], volume["Throughput"]) == (6000, 500)
        protected = ec2.describe_instance_attribute(InstanceId=raw["InstanceId"], Attribute="disableApiTermination")
        assert protected["DisableApiTermination"]["Value"] is True


def test_private_network_with_nat_endpoints_and_bastion(lab, writes):
    network = {
        "cidr": "10.50.0.0/16",
        "zone_count": 2,
        "private": True,
        "nat": "per_zone",
        "endpoints": ["s3", "ecr", "ssm"],
        "access": {"via": "bastion", "bastion_pool": "gate", "cidrs": ["192.0.2.0/24"]},
        "ingress": [{"from_port": 9100}, {"from_port": 8000, "to_port": 8080, "cidrs": ["10.0.0.0/8"]}],
    }
    pools = [
        {"name": "gate", "count": 1, "instance_types": ["t3.micro"], "image": {"id": _image(lab)}},
        {"name": "train", "count": 2, "instance_types": ["g5.xlarge"], "image": {"id": _image(lab)}},
    ]
    made = lab.run(network=network, pools=pools)
    assert made["summary"] == {"create": 30}
    kinds = [line["kind"] for line in made["plan"]]
    counted = {kind: kinds.count(kind) for kind in ("subnet", "nat_gateway", "elastic_ip", "route_table", "endpoint", "security_group")}
    assert counted == {"subnet": 4, "nat_gateway": 2, "elastic_ip": 2, "route_table": 3, "endpoint": 6, "security_group": 3}
    hosts = {raw["InstanceId"]: raw for raw in lab.instances()}
    gate = hosts[made["outputs"]["pools"]["gate"]["instance_ids"][0]]
    assert gate.get("PublicIpAddress") and len(_groups(gate)) == 2
    for one in made["outputs"]["pools"]["train"]["instance_ids"]:
        assert not hosts[one].get("PublicIpAddress") and len(_groups(hosts[one])) == 1
        tags = {tag["Key"]: tag["Value"] for tag in hosts[one]["Tags"]}
        assert (tags["mlinfra:access"], tags["mlinfra:bastion"]) == ("bastion", "gate")
    lab.calls()
    again = lab.run(network=network, pools=pools)
    assert not again["changed"], again["diff"]
    assert writes(lab.calls()) == {}
    assert lab.end()["remaining"] == []
    assert lab.client("ec2").describe_addresses()["Addresses"] == []


def test_info_tells_what_is_there(lab):
    from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
    from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse

    stack, _control = parse(lab.declared({}), True)
    nothing = engine.read(stack.scope, lab.clients())
    assert nothing["exists"] is False and nothing["resources"] == []
    made = lab.run()
    told = engine.read(stack.scope, lab.clients())
    assert told["exists"] is True and len(told["resources"]) == sum(KINDS.values())
    assert all(one["owned"] for one in told["resources"])
    assert told["outputs"] == made["outputs"]


def _groups(host) -> list:
    return host["NetworkInterfaces"][0]["Groups"]


def _image(lab) -> str:
    return lab.client("ssm").get_parameter(Name="/aws/service/debian/release/12/latest/amd64")["Parameter"]["Value"]
