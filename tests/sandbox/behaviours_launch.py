# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behaviours for test_aws_patches.py: placement groups, network cards, and volumes beside the root one."""

from __future__ import annotations

from typing import Any

from sandbox.aws.process import Emulator
from tests.sandbox.behaviours import Account, behaviour, refusal

P4D = {"InstanceType": "p4d.24xlarge"}


@behaviour
def placement_groups(aws: Emulator) -> None:
    account = Account(aws)
    ec2 = account.ec2
    vpc, subnet = account.network()
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "owner", "Value": "me"}]}]
    made = ec2.create_placement_group(GroupName="close", Strategy="cluster", TagSpecifications=tags)["PlacementGroup"]
    assert (made["State"], made["Strategy"], made["Tags"]) == ("available", "cluster", [{"Key": "owner", "Value": "me"}])
    assert refusal(ec2.create_placement_group, GroupName="close", Strategy="cluster")[0] == "InvalidPlacementGroup.Duplicate"
    ec2.create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "more", "Value": "yes"}])
    for name, value, found in (("tag:more", "yes", ["close"]), ("group-name", "close", ["close"]), ("strategy", "spread", [])):
        listed = ec2.describe_placement_groups(Filters=[{"Name": name, "Values": [value]}])["PlacementGroups"]
        assert [one["GroupName"] for one in listed] == found, name
    assert refusal(ec2.describe_placement_groups, GroupNames=["nobody"])[0] == "InvalidPlacementGroup.Unknown"
    near = {"Placement": {"GroupName": "close"}, "InstanceType": "c5.large"}
    instance = account.launch(SubnetId=subnet, **near)[0]["InstanceId"]
    assert account.instance(instance)["Placement"]["GroupName"] == "close"
    inside = ec2.describe_instances(Filters=[{"Name": "placement-group-name", "Values": ["close"]}])["Reservations"]
    assert [one["InstanceId"] for page in inside for one in page["Instances"]] == [instance]
    assert {what: refusal(account.launch, **request)[0] for what, request in {
        "unknown": {**near, "SubnetId": subnet, "Placement": {"GroupName": "nobody"}},
        "another zone": {**near, "SubnetId": other},
        "burstable": {**near, "SubnetId": subnet, "InstanceType": "t3.large"},
    }.items()} == {
        "unknown": "InvalidPlacementGroup.Unknown", "another zone": "InvalidParameterValue", "burstable": "InvalidParameterCombination",
    }
    assert refusal(ec2.delete_placement_group, GroupName="close")[0] == "InvalidPlacementGroup.InUse"
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.delete_placement_group(GroupName="close")
    assert refusal(ec2.delete_placement_group, GroupName="close")[0] == "InvalidPlacementGroup.Unknown"


@behaviour
def network_cards(aws: Emulator) -> None:
    account = Account(aws)
    _vpc, subnet = account.network()
    account.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})

    def on(card: int, device: int, kind: str = "efa-only", **more: Any) -> dict[str, Any]:
        return {"NetworkCardIndex": card, "DeviceIndex": device, "InterfaceType": kind, "SubnetId": subnet, **more}

    many = [on(card, 1, DeleteOnTermination=card != 2) for card in (3, 2, 1)]
    made = account.launch(**P4D, NetworkInterfaces=[on(0, 0, "efa"), *many])[0]["InstanceId"]
    shown = account.instance(made)
    laid = sorted((one["Attachment"]["NetworkCardIndex"], one["Attachment"]["DeviceIndex"], one["InterfaceType"])
                  for one in shown["NetworkInterfaces"])
    assert laid == [(0, 0, "efa"), (1, 1, "efa-only"), (2, 1, "efa-only"), (3, 1, "efa-only")]
    assert [bool(one.get("PrivateIpAddress")) for one in shown["NetworkInterfaces"]].count(True) == 1
    assert "PublicIpAddress" not in shown, "an instance with several interfaces gets none"
    assert account.instance(account.launch(SubnetId=subnet)[0]["InstanceId"])["PublicIpAddress"]
    account.ec2.terminate_instances(InstanceIds=[made])
    left = account.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]
    assert [one["InterfaceType"] for one in left if one["Status"] == "available" or "efa" in one["InterfaceType"]] == ["efa-only"]

    def refused(*interfaces: dict[str, Any], **kind: str) -> str:
        return refusal(account.launch, NetworkInterfaces=list(interfaces), **(kind or P4D))[0]

    assert refused(on(0, 0, "efa", AssociatePublicIpAddress=True), on(1, 1)) == "InvalidParameterCombination"
    assert refused(on(0, 0, "interface"), on(0, 1, "interface"), on(0, 1, "interface")) == "InvalidParameterValue"
    assert refused(on(0, 0, "efa-only")) == "InvalidParameterCombination"
    assert refused(on(0, 0, "efa"), on(4, 1)) == "InvalidParameterValue"
    assert refused(on(0, 0, "efa"), InstanceType="g5.xlarge") == "InvalidParameterCombination"
    assert refused(*(on(0, number, "interface") for number in range(4)), InstanceType="t3.large") == "AttachmentLimitExceeded"
    assert refused(on(0, 0, "efa"), on(0, 1), InstanceType="c5n.18xlarge") == "AttachmentLimitExceeded"
