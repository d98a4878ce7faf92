# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account holds, read with boto3 and without this collection's engine."""

from __future__ import annotations

import boto3
import pytest

OWNED = [{"Name": "tag:mlinfra:stack", "Values": ["path"]}, {"Name": "tag:mlinfra:environment", "Values": ["test"]}]


@pytest.fixture(scope="module")
def instances():
    running = {"Name": "instance-state-name", "Values": ["running"]}
    pages = boto3.client("ec2").get_paginator("describe_instances").paginate(Filters=[*OWNED, running])
    return [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]


def test_each_pool_has_its_instances_and_no_more(instances):
    pools = [tag["Value"] for instance in instances for tag in instance["Tags"] if tag["Key"] == "mlinfra:pool"]
    assert sorted(pools) == ["cpu", "train", "train"]


def test_instances_are_in_the_stacks_network_and_want_imds_tokens(instances):
    (network,) = boto3.client("ec2").describe_vpcs(Filters=OWNED)["Vpcs"]
    assert network["CidrBlock"] == "10.61.0.0/16"
    assert {instance["VpcId"] for instance in instances} == {network["VpcId"]}
    assert {instance["MetadataOptions"]["HttpTokens"] for instance in instances} == {"required"}


def test_bucket_is_versioned_and_closed():
    client, name = boto3.client("s3"), "path-test-data-123456789012"
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert all(client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert rule["Expiration"]["Days"] == 7


def test_repository_keeps_its_tags():
    (repository,) = boto3.client("ecr").describe_repositories(repositoryNames=["path-test/train"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
