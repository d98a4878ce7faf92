# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behaviours of requests that are sent twice with one token."""

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
