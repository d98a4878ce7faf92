# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behaviours of requests that are sent twice."""

from __future__ import annotations

from sandbox.aws.process import Emulator
from tests.sandbox.behaviours import Account, behaviour, refusal


@behaviour
def network_tokens(aws: Emulator) -> None:
    account = Account(aws)
    vpc, subnet = account.network()
    address = account.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = {"SubnetId": subnet, "AllocationId": address, "ClientToken": "once"}
    assert len({account.ec2.create_nat_gateway(**gateway)["NatGateway"]["NatGatewayId"] for _time in range(2)}) == 1
    assert refusal(account.ec2.create_nat_gateway, **{**gateway, "SubnetId": "subnet-2"})[0] == "IdempotentParameterMismatch"
    endpoint = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "VpcEndpointType": "Gateway"}
    assert len({account.ec2.create_vpc_endpoint(**endpoint, ClientToken="e")["VpcEndpoint"]["VpcEndpointId"] for _time in range(2)}) == 1
    assert refusal(account.ec2.create_vpc_endpoint, **{**endpoint, "VpcId": "vpc-2"}, ClientToken="e")[0] == "IdempotentParameterMismatch"
    account.ec2.create_vpc_endpoint(**endpoint)
    assert len(account.ec2.describe_vpc_endpoints()["VpcEndpoints"]) == 2, "without a token each request makes one"


@behaviour
def profile_roles(aws: Emulator) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="hosts", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="hosts")
    iam.add_role_to_instance_profile(InstanceProfileName="hosts", RoleName="hosts")
    both = {"InstanceProfileName": "hosts", "RoleName": "hosts"}
    assert refusal(iam.remove_role_from_instance_profile, **both) == ("", 200)
    assert refusal(iam.remove_role_from_instance_profile, **both) == ("NoSuchEntity", 404)
