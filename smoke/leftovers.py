# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account still has of a stack, read with boto3 alone: nothing of the collection has a part in it.

Each kind that a run makes is asked for at its own service, whose answer counts. The Resource Groups Tagging API then names what carries
the stack's tag of any other kind. It also names what is gone ("all the tagged or previously tagged resources", API reference of
GetResources), so what it names of the kinds that were asked for is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

TAG = "mlinfra:stack"
#: An instant fleet, which is how spot is launched, is EC2's record of one request: it keeps nothing running and costs nothing. EC2 lists it
#: only to whoever knows its id (API reference of DescribeFleets). What it launched is asked for as instances.
RECORDS = frozenset({"fleet"})


@dataclass(frozen=True)
class Kind:
    """How EC2 lists one kind. ``arn``: its word in an ARN; ``gone``: states in which nothing remains of one, by its JMESPath."""

    name: str
    arn: str
    operation: str
    listed: str
    id: str
    state: str = ""
    gone: tuple[str, ...] = ()


KINDS = (
    Kind("instance", "instance", "describe_instances", "Reservations[].Instances[]", "InstanceId", "State.Name", ("terminated",)),
    Kind("volume", "volume", "describe_volumes", "Volumes[]", "VolumeId", "State", ("deleted",)),
    Kind("network interface", "network-interface", "describe_network_interfaces", "NetworkInterfaces[]", "NetworkInterfaceId"),
    Kind(
        "spot request", "spot-instances-request", "describe_spot_instance_requests", "SpotInstanceRequests[]", "SpotInstanceRequestId",
        "State", ("closed", "cancelled", "failed"),
    ),
    Kind("launch template", "launch-template", "describe_launch_templates", "LaunchTemplates[]", "LaunchTemplateId"),
    Kind("address", "elastic-ip", "describe_addresses", "Addresses[]", "AllocationId"),
    Kind("key pair", "key-pair", "describe_key_pairs", "KeyPairs[]", "KeyPairId"),
    Kind("security group", "security-group", "describe_security_groups", "SecurityGroups[]", "GroupId"),
    Kind("route table", "route-table", "describe_route_tables", "RouteTables[]", "RouteTableId"),
    Kind("internet gateway", "internet-gateway", "describe_internet_gateways", "InternetGateways[]", "InternetGatewayId"),
    Kind("subnet", "subnet", "describe_subnets", "Subnets[]", "SubnetId"),
    Kind("vpc", "vpc", "describe_vpcs", "Vpcs[]", "VpcId"),
)  # fmt: skip


@dataclass(frozen=True)
class Left:
    """One thing that remains."""

    kind: str
    id: str
    state: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}" + (f" ({self.state})" if self.state else "")


def find(client: Callable[[str], Any], stack: str, environment: str) -> list[Left]:
    """Everything that remains. :param client: service → boto3 client.

    :raises botocore.exceptions.ClientError, BotoCoreError: something could not be read, so that nothing can be said.
    """
    ec2 = client("ec2")
    found = [left for kind in KINDS for left in _of_kind(ec2, kind, stack)]
    lock = f"/mlinfra/{stack}/{environment}/lock"
    if client("ssm").get_parameters(Names=[lock])["Parameters"]:
        found.append(Left("parameter", lock))
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[{"Key": TAG, "Values": [stack]}])
    arns = [one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]]
    return found + others(arns)


def _of_kind(ec2: Any, kind: Kind, stack: str) -> Iterable[Left]:
    import jmespath

    params = {"Filters": [{"Name": f"tag:{TAG}", "Values": [stack]}]}
    pages = (
        ec2.get_paginator(kind.operation).paginate(**params)
        if ec2.can_paginate(kind.operation)
        else [getattr(ec2, kind.operation)(**params)]
    )
    for page in pages:
        for raw in jmespath.search(kind.listed, page) or []:
            state = jmespath.search(kind.state, raw) if kind.state else ""
            if state not in kind.gone or not kind.gone:
                yield Left(kind.name, raw[kind.id], state or "")


def others(arns: Iterable[str]) -> list[Left]:
    """Of what the tagging API names, what was not asked for at its own service. Pure."""
    asked = {kind.arn for kind in KINDS} | RECORDS
    found = []
    for arn in arns:
        service, resource = arn.split(":", 5)[2::3]
        if service == "ec2" and resource.split("/")[0] in asked:
            continue
        if service == "ssm" and resource.endswith("/lock"):
            continue
        found.append(Left(service, arn))
    return found


def advice(left: Iterable[Left] | None, region: str, stack: str, again: str) -> list[str]:
    """How to remove it, as Markdown. :param left: None when that is not known. :param again: the command that destroys the stack. Pure."""
    left = None if left is None else list(left)
    if left == []:
        return []
    lines = ["First once more what the run did:", "", f"    {again}", ""]
    instances = [one.id for one in left or [] if one.kind == "instance"]
    if instances:
        lines += [
            "What costs money, at once:",
            "",
            f"    aws ec2 terminate-instances --region {region} --instance-ids {' '.join(instances)}",
            "",
        ]
    lines.append(f"Whatever is left then carries the tag `{TAG} = {stack}`: *Resource Groups & Tag Editor* of the AWS console lists it.")
    return lines
