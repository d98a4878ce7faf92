# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the patch for instant fleets mends."""

from __future__ import annotations

from typing import Any

from sandbox.aws.process import Emulator
from tests.sandbox.behaviours import Account, behaviour, refusal


@behaviour
def fleets(aws: Emulator) -> None:
    account = Account(aws)
    vpc, first = account.network()
    second = account.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    data = {
        "ImageId": account.image["ImageId"], "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": False}],
        "BlockDeviceMappings": [{"DeviceName": account.image["RootDeviceName"], "Ebs": {"VolumeSize": 40, "VolumeType": "gp3"}}],
        "MetadataOptions": {"HttpTokens": "required"},
    }  # fmt: skip
    account.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)

    def places(*subnets: str, **more: Any) -> list[dict[str, Any]]:
        overrides = [{"InstanceType": "g5.xlarge", "SubnetId": subnet, **more} for subnet in subnets]
        return [{"LaunchTemplateSpecification": {"LaunchTemplateName": "template", "Version": "1"}, "Overrides": overrides}]

    def wish(token: str, count: int = 3, least: int = 0, **more: Any) -> dict[str, Any]:
        spot: dict[str, Any] = {"AllocationStrategy": "price-capacity-optimized"}
        if least:
            spot.update(SingleAvailabilityZone=True, MinTargetCapacity=least)
        target = {"TotalTargetCapacity": count, "SpotTargetCapacity": count, "DefaultTargetCapacityType": "spot"}
        return {"Type": "instant", "ClientToken": token, "SpotOptions": spot, "TargetCapacitySpecification": target,
                "LaunchTemplateConfigs": places(first, second), **more}  # fmt: skip

    def ids(answer: dict[str, Any]) -> list[str]:
        return [instance_id for one in answer["Instances"] for instance_id in one["InstanceIds"]]

    aws.fault(service="ec2", action="RunInstances", match=first, capacity=1, times=1)
    made = account.ec2.create_fleet(**wish("a"))
    assert len(ids(made)) == 3 and ids(account.ec2.create_fleet(**wish("a"))) == ids(made), "one token, one launch"
    assert refusal(account.ec2.create_fleet, **wish("a", count=4))[0] == "IdempotentParameterMismatch"
    zones = [account.instance(one)["Placement"]["AvailabilityZone"] for one in ids(made)]
    assert sorted(zones) == ["us-east-1a", "us-east-1b", "us-east-1b"]
    one = account.instance(ids(made)[0])
    assert one["InstanceLifecycle"] == "spot" and one["MetadataOptions"]["HttpTokens"] == "required"
    assert {"Key": "aws:ec2:fleet-id", "Value": made["FleetId"]} in one["Tags"]
    assert account.volume(one["InstanceId"], account.image["RootDeviceName"])["Size"] == 40
    assert account.ec2.describe_fleets(FleetIds=[made["FleetId"]])["Fleets"][0]["ClientToken"] == "a"

    aws.fault(service="ec2", action="RunInstances", match=first, capacity=2, times=1)
    gang = account.ec2.create_fleet(**wish("b", least=3))
    assert [one["LaunchTemplateAndOverrides"]["Overrides"]["SubnetId"] for one in gang["Instances"]] == [second]
    assert [one["ErrorCode"] for one in gang["Errors"]] == ["InsufficientInstanceCapacity"] and len(ids(gang)) == 3
    dear = account.ec2.create_fleet(**wish("c", LaunchTemplateConfigs=places(first, MaxPrice="0.01")))
    assert dear["Errors"][0]["ErrorCode"] == "SpotMaxPriceTooLow" and ids(dear) == []
    assert refusal(account.ec2.describe_fleets, FleetIds=["fleet-00000000-0000-0000-0000-000000000000"])[0] == "InvalidFleetId.NotFound"
