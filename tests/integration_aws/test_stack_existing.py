# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others own: used by reference and never written, or left alone although it carries our tags."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import BOOKWORM

NOTHING = dict.fromkeys(("network", "key", "buckets", "repositories", "identity", "pools"))
KEY = {"name": "theirs", "existing": True}
POOL = {"name": "train", "count": 2, "instance_types": ["g5.xlarge"], "image": BOOKWORM}


@pytest.fixture
def theirs(lab):
    """A network, key, bucket, repository and profile that Terraform made."""
    ec2, tags = lab.client("ec2"), [{"Key": "made-by", "Value": "terraform"}]

    def tagged(kind):
        return [{"ResourceType": kind, "Tags": tags}]

    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"us-east-1{zone}", TagSpecifications=tagged("subnet"))[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="theirs", Description="x", VpcId=vpc, TagSpecifications=tagged("security-group"))["GroupId"]
    ec2.create_key_pair(KeyName="theirs")
    lab.client("s3").create_bucket(Bucket="their-data")
    lab.client("ecr").create_repository(repositoryName="their/train")
    lab.client("iam").create_instance_profile(InstanceProfileName="theirs")
    lab.calls()
    return {"vpc": vpc, "subnets": subnets, "group": group}


def _network(theirs, **more):
    existing = {"vpc": {"id": theirs["vpc"]}, "subnets": {"ids": theirs["subnets"]}, "security_groups": {"ids": [theirs["group"]]}}
    return {"existing": {**existing, **more}}


def _sections(theirs, **more):
    return {
        "network": _network(theirs),
        "key": {"name": "theirs", "existing": True},
        "buckets": [{"name": "data", "bucket_name": "their-data", "existing": True}],
        "repositories": [{"name": "train", "repository_name": "their/train", "existing": True}],
        "identity": {"existing_instance_profile": "theirs"},
        "pools": [POOL],
        **more,
    }


def _tags_of_everything(lab):
    ec2 = lab.client("ec2")
    return sorted((tag["ResourceId"], tag["Key"], tag["Value"]) for tag in ec2.describe_tags()["Tags"] if tag["ResourceType"] != "instance")


def test_a_pool_in_a_network_that_terraform_owns(lab, theirs, writes, actions):
    before = [tag for tag in _tags_of_everything(lab) if tag[1] == "made-by"]
    planned = lab.plan(**_sections(theirs))
    assert {line["kind"] for line in planned["plan"] if line["action"] == "create"} == {"instance"}
    made = lab.run(**_sections(theirs))
    assert writes(lab.calls()) == {"ssm:PutParameter": 1, "ec2:RunInstances": 2, "ssm:DeleteParameter": 1}
    hosts = [raw for raw in lab.instances() if raw["InstanceId"] in made["outputs"]["pools"]["train"]["instance_ids"]]
    assert {raw["SubnetId"] for raw in hosts} == set(theirs["subnets"])
    assert all(raw["NetworkInterfaces"][0]["Groups"][0]["GroupId"] == theirs["group"] for raw in hosts)
    assert all(raw["KeyName"] == "theirs" and raw["IamInstanceProfile"]["Arn"].endswith("/theirs") for raw in hosts)
    assert made["outputs"]["vpc_id"] == theirs["vpc"] and made["outputs"]["security_group_id"] == theirs["group"]
    assert made["outputs"]["buckets"] == {"data": "their-data"} and made["outputs"]["key_name"] == "theirs"
    assert [tag for tag in _tags_of_everything(lab) if tag[0] in (theirs["vpc"], *theirs["subnets"], theirs["group"])] == [
        tag for tag in before if tag[0] in (theirs["vpc"], *theirs["subnets"], theirs["group"])
    ]
    assert not lab.run(**_sections(theirs))["changed"]
    lab.calls()
    ended = lab.end()
    assert ended["summary"] == {"delete": 2} and ended["remaining"] == []
    assert lab.client("ec2").describe_vpcs(VpcIds=[theirs["vpc"]])["Vpcs"]


def test_references_by_tags(lab, theirs):
    by_tags = {"tags": {"made-by": "terraform"}}
    network = {"existing": {"vpc": by_tags, "subnets": by_tags, "security_groups": by_tags}}
    made = lab.run(**{**NOTHING, "network": network, "key": KEY, "pools": [POOL]})
    assert made["outputs"]["vpc_id"] == theirs["vpc"] and sorted(made["outputs"]["subnets"].values()) == sorted(theirs["subnets"])


def test_tags_are_looked_for_in_the_vpc_only(lab, theirs):
    """Another VPC of the account has subnets and groups with the same tags."""
    ec2 = lab.client("ec2")

    def tagged(kind):
        return [{"ResourceType": kind, "Tags": [{"Key": "made-by", "Value": "terraform"}]}]

    other = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=other, CidrBlock="10.8.0.0/24", TagSpecifications=tagged("subnet"))
    ec2.create_security_group(GroupName="same", Description="x", VpcId=other, TagSpecifications=tagged("security-group"))
    by_tags = {"tags": {"made-by": "terraform"}}
    network = _network(theirs, subnets=by_tags, security_groups=by_tags)
    made = lab.run(**{**NOTHING, "network": network, "key": KEY, "pools": [POOL]})
    assert sorted(made["outputs"]["subnets"].values()) == sorted(theirs["subnets"])
    assert not lab.run(**{**NOTHING, "network": network, "key": KEY, "pools": [POOL]})["changed"]


def test_an_empty_bucket_of_somebody_is_not_taken_up(lab, writes):
    with pytest.raises(StackError, match="buckets.data wants bucket their-data: one of that name is there"):
        lab.client("s3").create_bucket(Bucket="their-data")
        lab.run(**{**NOTHING, "buckets": [{"name": "data", "bucket_name": "their-data"}]})


def test_the_namesake_in_another_region_keeps_its_bucket(lab):
    """S3 answers for buckets of all regions, and both stacks have the same name for theirs."""
    buckets = {**NOTHING, "buckets": [{"name": "data", "tls_only": False}]}
    lab.run(**buckets)
    lab.client("s3").put_object(Bucket="vision-dev-data-123456789012", Key="weights", Body=b"1")
    lab.options = {"region": "eu-west-1"}
    elsewhere = {"region": "eu-west-1"}
    with pytest.raises(StackError, match="one of that name is there, and this stack did not make it"):
        lab.run(**buckets, **elsewhere)
    assert not lab.end(**elsewhere, force=["data"])["changed"]
    assert lab.client("s3").list_objects_v2(Bucket="vision-dev-data-123456789012")["KeyCount"] == 1


def test_wrong_references_end_the_run_before_any_write(lab, theirs, writes):
    other = lab.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    lab.client("ec2").create_vpc(
        CidrBlock="10.7.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "made-by", "Value": "terraform"}]}]
    )
    wrong = {
        "network.existing.vpc is vpc-0123456789abcdef0: no VPC in us-east-1 has that": {
            "network": _network(theirs, vpc={"id": "vpc-0123456789abcdef0"})
        },
        "network.existing.vpc is made-by=terraform: 2 VPCs in us-east-1 have that": {
            "network": _network(theirs, vpc={"tags": {"made-by": "terraform"}})
        },
        "network.existing.subnets is subnet-0123456789abcdef0: no subnet": {
            "network": _network(theirs, subnets={"ids": [theirs["subnets"][0], "subnet-0123456789abcdef0"]})
        },
        f"is in {theirs['vpc']}, not in {other}": {"network": _network(theirs, vpc={"id": other})},
        "key.name is nobody: us-east-1 has no key pair of that name": {"key": {"name": "nobody", "existing": True}},
        "buckets.data is existing: there is no bucket not-there": {
            "buckets": [{"name": "data", "bucket_name": "not-there", "existing": True}]
        },
        "repositories.train is existing: us-east-1 has no repository not/there": {
            "repositories": [{"name": "train", "repository_name": "not/there", "existing": True}]
        },
        "identity.existing_instance_profile is nobody": {"identity": {"existing_instance_profile": "nobody"}},
    }
    lab.calls()
    for message, sections in wrong.items():
        with pytest.raises(StackError) as caught:
            lab.run(**_sections(theirs, **sections))
        assert message in caught.value.message, caught.value.message
    assert writes(lab.calls()) == {}


def test_tags_without_provenance_are_foreign(lab, actions):
    network = {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["192.0.2.0/24"]}}
    sections = {**NOTHING, "network": network, "key": lab.declared({})["key"], "pools": [POOL]}
    made = lab.run(**sections)
    ec2 = lab.client("ec2")
    copied = [{"Key": f"mlinfra:{key}", "Value": value} for key, value in {"stack": "vision", "environment": "dev", "schema": "1"}.items()]

    def tags(kind, name):
        return [*copied, {"Key": "mlinfra:kind", "Value": kind}, {"Key": "mlinfra:name", "Value": name}]

    image = lab.client("ssm").get_parameter(Name=BOOKWORM["ssm"])["Parameter"]["Value"]
    by_hand = {
        "ResourceType": "instance",
        "Tags": [*tags("instance", "train"), {"Key": "mlinfra:pool", "Value": "train"}, {"Key": "mlinfra:slots", "Value": "7"}],
    }
    hand = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=[by_hand])["Instances"][0][
        "InstanceId"
    ]
    group = ec2.create_security_group(GroupName="by-hand", Description="x", VpcId=made["outputs"]["vpc_id"])["GroupId"]
    ec2.create_tags(Resources=[group], Tags=tags("security_group", "extra"))
    other_vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=other_vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=tags("subnet", "extra"))
    result = lab.run(**sections, prune=True, max_delete=9)
    assert not result["changed"]
    foreign = {line["id"] for line in result["plan"] if line["action"] == "foreign"}
    assert foreign == {hand, group, subnet}
    with pytest.raises(StackError):  # the stranger's group keeps the VPC in use; nothing of theirs is removed for it
        lab.run(**{**NOTHING, "state": "absent", "confirm": "vision-dev"}, wait_timeout=1)
    assert hand in lab.alive() and ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]


def test_names_that_others_have(lab, writes):
    lab.client("iam").create_role(
        RoleName="vision-dev-hosts", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    lab.client("s3").create_bucket(Bucket="ours-already")
    lab.client("s3").put_bucket_tagging(Bucket="ours-already", Tagging={"TagSet": [{"Key": "team", "Value": "web"}]})
    lab.client("ecr").create_repository(repositoryName="vision-dev/train")
    lab.client("ec2").create_key_pair(KeyName="vision-dev")
    lab.calls()
    cases = {
        "identity wants role vision-dev-hosts: one of that name is there": {"identity": {}},
        "buckets.data wants bucket ours-already: one of that name is there": {"buckets": [{"name": "data", "bucket_name": "ours-already"}]},
        "buckets.data is taken-by-somebody-else in S3: a bucket of that name belongs to somebody else": {
            "buckets": [{"name": "data", "bucket_name": "taken-by-somebody-else"}]
        },
        "repositories.train wants repository vision-dev/train: one of that name is there": {"repositories": [{"name": "train"}]},
        "key wants key_pair vision-dev: one of that name is there": {"key": {"public_key": lab.declared({})["key"]["public_key"]}},
    }
    for message, section in cases.items():
        for check in (True, False):
            with pytest.raises(StackError) as caught:
                lab.run(check, **{**NOTHING, **section})
            assert message in caught.value.message, caught.value.message
    assert writes(lab.calls()) == {}
