# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compared playbooks left in the emulated account."""

from __future__ import annotations

from typing import Any

from sandbox.aws.process import Emulator


def made(aws: Emulator) -> dict[str, Any]:
    """What there is in the account, in words that do not depend on who made it."""
    ec2, s3, iam, ecr = (aws.client(service) for service in ("ec2", "s3", "iam", "ecr"))
    own = [{"Name": "cidr", "Values": ["10.42.0.0/16"]}]
    (vpc,) = ec2.describe_vpcs(Filters=own)["Vpcs"]
    inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
    tables = ec2.describe_route_tables(Filters=inside)["RouteTables"]
    group = next(one for one in ec2.describe_security_groups(Filters=inside)["SecurityGroups"] if one["GroupName"] != "default")
    hosts = [one for page in ec2.describe_instances(Filters=inside)["Reservations"] for one in page["Instances"]]
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    (repository,) = ecr.describe_repositories()["repositories"]
    (profile,) = iam.list_instance_profiles()["InstanceProfiles"]
    role = profile["Roles"][0]["RoleName"]
    return {
        "subnets": len(ec2.describe_subnets(Filters=inside)["Subnets"]),
        "gateways": len(ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]),
        "routes out": sum(route.get("GatewayId", "").startswith("igw-") for table in tables for route in table["Routes"]),
        "subnets routed": sum("SubnetId" in one for table in tables for one in table["Associations"]),
        "rules": len(group["IpPermissions"]),
        "keys": len(ec2.describe_key_pairs()["KeyPairs"]),
        "hosts": sorted(
            (one["InstanceType"], one["State"]["Name"], "IamInstanceProfile" in one, one["MetadataOptions"]["HttpTokens"]) for one in hosts
        ),
        "disks": sorted({(one["Size"], one["VolumeType"], one["Encrypted"]) for one in ec2.describe_volumes()["Volumes"]}),
        "bucket": (
            s3.get_bucket_versioning(Bucket=bucket).get("Status"), bool(s3.get_bucket_policy(Bucket=bucket)["Policy"]),
            [rule["Expiration"]["Days"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]],
            all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()),
        ),
        "repository": (
            repository["imageTagMutability"], repository["imageScanningConfiguration"]["scanOnPush"],
            bool(ecr.get_lifecycle_policy(repositoryName=repository["repositoryName"])["lifecyclePolicyText"]),
        ),
        "policies": len(iam.list_role_policies(RoleName=role)["PolicyNames"]),
    }
