# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Errors that mean "not everywhere yet" when this run made (or removed) what the call depends on, and how long that may last.

AWS is eventually consistent: an id that CreateVpc returned can be unknown to the next call. The same error without such a
dependency is a mistake and stops the run at once, so each row names the kinds that this run must have touched.
Sources: docs.aws.amazon.com/AWSEC2/latest/APIReference/query-api-troubleshooting.html#eventual-consistency,
docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found


class Row(NamedTuple):
    call: str  # pattern for service:Operation
    code: str  # pattern for the error code
    message: str  # pattern within the message; empty matches all
    kinds: tuple[str, ...]  # this run made one of these
    window: float  # seconds
    removed: bool = False  # this run removed one of them instead


#: Seconds for which what another run made counts as made by this one.
FRESH = 120
#: Seconds within which what was made is in AWS's lists.
LISTED = 60

CHILDREN = ("instance", "nat_gateway", "endpoint", "subnet", "security_group", "internet_gateway", "route_table", "elastic_ip")

TABLE = (
    Row(r"ec2:RunInstances", r"InvalidParameterValue", r"(?i)iaminstanceprofile|instance profile", ("instance_profile", "role"), 90),
    Row(r"ec2:RunInstances", r"InvalidKeyPair\.NotFound", "", ("key_pair",), 30),
    Row(r"ec2:.*", r"InvalidVpcID\.NotFound|InvalidVpcId\.NotFound", "", ("vpc",), 60),
    Row(r"ec2:.*", r"InvalidSubnetID\.NotFound|InvalidSubnetId\.NotFound", "", ("subnet",), 60),
    Row(r"ec2:.*", r"InvalidGroup\.NotFound|InvalidGroupId\.NotFound|InvalidSecurityGroupID\.NotFound", "", ("security_group",), 60),
    Row(r"ec2:.*", r"InvalidInternetGatewayID\.NotFound|InvalidGatewayID\.NotFound", "", ("internet_gateway",), 60),
    Row(r"ec2:.*", r"InvalidRouteTableID\.NotFound|InvalidRouteTableId\.NotFound", "", ("route_table",), 60),
    Row(r"ec2:.*", r"InvalidAllocationID\.NotFound", "", ("elastic_ip",), 60),
    Row(r"ec2:.*", r"InvalidNatGatewayID\.NotFound|NatGatewayNotFound", "", ("nat_gateway",), 60),
    Row(r"ec2:.*", r"InvalidInstanceID\.NotFound", "", ("instance",), 60),
    Row(r"ec2:CreateFleet", r"InvalidLaunchTemplate(Id|Name)\.(Version)?NotFound(Exception)?", "", ("launch_template",), 60),
    Row(r"ec2:.*", r"InvalidPlacementGroup\.Unknown", "", ("placement_group",), 60),
    Row(r"ec2:DeletePlacementGroup", r"InvalidPlacementGroup\.InUse", "", ("instance",), 300, True),
    Row(r"iam:(PutRolePolicy|AttachRolePolicy|AddRoleToInstanceProfile)", r"NoSuchEntity", "", ("role", "instance_profile"), 60),
    Row(r"scheduler:(Create|Update)Schedule", r"ValidationException", r"(?i)execution role", ("schedule_role",), 90),
    Row(r"s3:.*", r"NoSuchBucket", "", ("bucket",), 60),
    Row(r"s3:PutBucketPolicy", r"MalformedPolicy", r"(?i)principal", ("role",), 60),
    Row(r"s3:.*", r"OperationAborted", "", ("bucket",), 60),
    Row(r"ecr:.*", r"RepositoryNotFoundException", "", ("repository",), 30),
    Row(
        r"ec2:(Delete|Detach|Release).*",
        r"DependencyViolation|InvalidIPAddress\.InUse|AuthFailure|InvalidNetworkInterface\.InUse",
        "",
        CHILDREN,
        300,
        True,
    ),
    Row(r"iam:Delete(Role|InstanceProfile)", r"DeleteConflict", "", ("role", "instance_profile"), 30, True),
    Row(r"s3:DeleteBucket", r"BucketNotEmpty|OperationAborted", "", ("bucket",), 30, True),
)


def fresh(listed: Iterable[Found], now: float) -> set[str]:
    """Kinds of which a run that ended just before made something: it has not spread either. Only IAM says when it made a thing."""
    return {found.kind for found in listed if found.owned and found.facts.get("created", 0) > now - FRESH}


def window(call: str, code: str, message: str, made: Collection[str], removed: Collection[str]) -> Optional[float]:
    """For how many seconds after its first failure the call may be repeated, or None.

    :param call: ``service:Operation``.
    :param made: kinds of which this run made something.
    :param removed: kinds of which this run removed something.
    """
    for row in TABLE:
        touched = removed if row.removed else made
        if (
            re.fullmatch(row.call, call)
            and re.fullmatch(row.code, code)
            and (not row.message or re.search(row.message, message))
            and any(kind in touched for kind in row.kinds)
        ):
            return row.window
    return None
