# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the behaviours of test_aws_patches.py are written with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.process import Emulator
from sandbox.aws.seeds import DEBIAN

BEHAVIOURS: dict[str, Callable[[Emulator], None]] = {}


def behaviour(function: Callable[[Emulator], None]) -> Callable[[Emulator], None]:
    """The function is named for the patch that makes it pass."""
    BEHAVIOURS[function.__name__] = function
    return function


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, int]:
    """(code, HTTP status) of the error that this call answers with."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200


class Account:
    """Short ways to the things that most behaviours need."""

    def __init__(self, aws: Emulator) -> None:
        self.ec2, self.s3, self.iam = aws.client("ec2"), aws.client("s3"), aws.client("iam")
        newest = self.ec2.describe_images(Owners=[DEBIAN], Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"]
        self.image = max(newest, key=lambda image: image["CreationDate"])

    def network(self, cidr: str = "10.9.0.0/16", subnet: str = "10.9.1.0/24") -> tuple[str, str]:
        vpc = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        return vpc, self.ec2.create_subnet(VpcId=vpc, CidrBlock=subnet, AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]

    def launch(self, count: int = 1, **changes: Any) -> list[dict[str, Any]]:
        request = {"ImageId": self.image["ImageId"], "InstanceType": "t3.large", "MinCount": 1, "MaxCount": count} | changes
        return self.ec2.run_instances(**request)["Instances"]

    def instance(self, instance_id: str) -> dict[str, Any]:
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def volume(self, instance_id: str, device: str) -> dict[str, Any]:
        mapping = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in self.instance(instance_id)["BlockDeviceMappings"]}
        return self.ec2.describe_volumes(VolumeIds=[mapping[device]])["Volumes"][0]
