# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each patch mends: every behaviour holds with all patches, and breaks on a server without the patch of its name."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from sandbox.aws.patches import NAMES
from sandbox.aws.process import Emulator
from sandbox.aws.seeds import DEBIAN, TAKEN_BUCKET
from tests.sandbox import (  # each registers its behaviours
    behaviours_fleets,  # noqa: F401
    behaviours_launch,  # noqa: F401
    behaviours_limits,  # noqa: F401
    behaviours_repeated,  # noqa: F401
    behaviours_schedules,  # noqa: F401
)
from tests.sandbox.behaviours import BEHAVIOURS, Account, behaviour, refusal

AT_ONCE = {"pending": 0, "stopping": 0, "shutting_down": 0, "profile_propagation": 0}


@behaviour
def images(aws: Emulator) -> None:
    found = aws.client("ec2").describe_images(Owners=[DEBIAN], Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"]
    assert len(found) > 1
    assert {(one["RootDeviceName"], one["BlockDeviceMappings"][0]["Ebs"]["VolumeType"], one["Architecture"]) for one in found} == {
        ("/dev/xvda", "gp3", "x86_64")}


@behaviour
def public_parameters(aws: Emulator) -> None:
    ssm, ec2 = aws.client("ssm"), aws.client("ec2")
    for path, owner in {
        "/aws/service/debian/release/12/latest/amd64": DEBIAN,
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id": "099720109477",
        "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id": "898082745236",
    }.items():
        value = ssm.get_parameter(Name=path)["Parameter"]["Value"]
        assert [one["OwnerId"] for one in ec2.describe_images(ImageIds=[value])["Images"]] == [owner]


@behaviour
def launch(aws: Emulator) -> None:
    account = Account(aws)
    account.iam.create_role(RoleName="hosts", AssumeRolePolicyDocument="{}")
    profile = account.iam.create_instance_profile(InstanceProfileName="hosts")["InstanceProfile"]["Arn"]
    made = account.launch(count=3, IamInstanceProfile={"Arn": profile})
    assert [one["AmiLaunchIndex"] for one in made] == [0, 1, 2]
    assert {account.instance(one["InstanceId"])["IamInstanceProfile"]["Arn"] for one in made} == {profile}
    _vpc, subnet = account.network(subnet="10.9.1.0/28")  # 11 addresses can be used
    assert len(account.launch(count=20, SubnetId=subnet)) == 11
    assert refusal(account.launch, SubnetId=subnet)[0] == "InsufficientFreeAddressesInSubnet"


@behaviour
def error_status(aws: Emulator) -> None:
    account = Account(aws)
    aws.fault(service="ec2", action="RunInstances", capacity=0)
    assert refusal(account.launch) == ("InsufficientInstanceCapacity", 500)


@behaviour
def launch_checks(aws: Emulator) -> None:
    account = Account(aws)
    _vpc, subnet = account.network()
    elsewhere, _subnet = account.network("10.8.0.0/16", "10.8.1.0/24")
    group = account.ec2.create_security_group(GroupName="g", Description="g", VpcId=elsewhere)["GroupId"]
    assert {name: refusal(account.launch, **change)[0] for name, change in {
        "malformed": {"ImageId": "ami-1"},
        "unknown": {"ImageId": "ami-0123456789abcdef0"},
        "type": {"InstanceType": "p9.huge"},
        "architecture": {"InstanceType": "t4g.small"},
        "zone": {"InstanceType": "p4de.24xlarge", "Placement": {"AvailabilityZone": "us-east-1a"}},
        "key": {"KeyName": "nobody"},
        "network": {"SubnetId": subnet, "SecurityGroupIds": [group]},
    }.items()} == {
        "malformed": "InvalidAMIID.Malformed", "unknown": "InvalidAMIID.NotFound", "type": "InvalidParameterValue",
        "architecture": "InvalidParameterValue", "zone": "Unsupported", "key": "InvalidKeyPair.NotFound", "network": "InvalidParameter",
    }
    assert not account.ec2.describe_instances()["Reservations"]


@behaviour
def client_token(aws: Emulator) -> None:
    account = Account(aws)
    first = account.launch(count=2, ClientToken="one")
    again = account.launch(count=2, ClientToken="one")
    assert [one["InstanceId"] for one in again] == [one["InstanceId"] for one in first]
    assert refusal(account.launch, count=3, ClientToken="one")[0] == "IdempotentParameterMismatch"
    account.ec2.terminate_instances(InstanceIds=[one["InstanceId"] for one in first])
    assert refusal(account.launch, count=2, ClientToken="one")[0] == "IdempotentInstanceTerminated"
    aws.timing(token_memory=0)  # a day later
    assert {one["InstanceId"] for one in account.launch(count=2, ClientToken="one")}.isdisjoint(one["InstanceId"] for one in first)
    assert refusal(account.launch, ClientToken="x" * 65)[0] == "InvalidParameterValue"
    aws.fault(service="ec2", action="RunInstances", code="InternalError", after_effect=True)
    assert refusal(account.launch, ClientToken="lost answer")[0] == "InternalError"
    kept = account.launch(ClientToken="lost answer")
    assert len([one for one in _all(account) if one.get("ClientToken") == "lost answer"]) == len(kept) == 1


def _all(account: Account) -> list[dict[str, Any]]:
    return [one for page in account.ec2.describe_instances()["Reservations"] for one in page["Instances"]]


@behaviour
def lifecycle(aws: Emulator) -> None:
    account = Account(aws)
    aws.timing(pending=3600, stopping=3600, shutting_down=3600)
    slow = account.launch()[0]["InstanceId"]
    assert account.instance(slow)["State"]["Name"] == "pending"
    assert refusal(account.ec2.stop_instances, InstanceIds=[slow])[0] == "IncorrectInstanceState"
    account.ec2.terminate_instances(InstanceIds=[slow])
    assert account.instance(slow)["State"]["Name"] == "shutting-down"
    aws.timing(pending=0, stopping=0)
    quick = account.launch()[0]
    assert "StateReason" not in quick
    account.ec2.stop_instances(InstanceIds=[quick["InstanceId"]])
    assert account.instance(quick["InstanceId"])["State"]["Name"] == "stopped"
    assert refusal(account.ec2.reboot_instances, InstanceIds=[quick["InstanceId"]])[0] == "IncorrectInstanceState"
    account.ec2.start_instances(InstanceIds=[quick["InstanceId"]])
    assert account.instance(quick["InstanceId"])["State"]["Name"] == "running"
    aws.fault(service="ec2", action="RunInstances", terminate="Server.InsufficientInstanceCapacity: no room")
    doomed = account.instance(account.launch()[0]["InstanceId"])
    assert (doomed["State"]["Name"], doomed["StateReason"]["Code"]) == ("terminated", "Server.InsufficientInstanceCapacity")


@behaviour
def volumes(aws: Emulator) -> None:
    account = Account(aws)
    root = account.image["RootDeviceName"]
    plain = account.launch()[0]["InstanceId"]
    assert len(account.instance(plain)["BlockDeviceMappings"]) == 1
    assert (account.volume(plain, root)["VolumeType"], account.volume(plain, root)["Size"]) == ("gp3", 8)
    mappings = [
        {"DeviceName": root, "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "Iops": 6000, "Throughput": 500, "Encrypted": True}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 50, "VolumeType": "io2", "Iops": 9000}},
    ]
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "owner", "Value": "me"}]}]
    instance = account.launch(BlockDeviceMappings=mappings, TagSpecifications=tags)[0]["InstanceId"]
    first, second = account.volume(instance, root), account.volume(instance, "/dev/sdf")
    assert (first["Size"], first["Iops"], first["Throughput"], first["Encrypted"]) == (100, 6000, 500, True)
    assert (second["Size"], second["Iops"], second["VolumeType"]) == (50, 9000, "io2")
    assert first["Tags"] == second["Tags"] == [{"Key": "owner", "Value": "me"}]
    assert [one["Ebs"]["DeleteOnTermination"] for one in account.instance(instance)["BlockDeviceMappings"]] == [True, False]
    small = [{"DeviceName": root, "Ebs": {"VolumeSize": 4}}]
    assert refusal(account.launch, BlockDeviceMappings=small)[0] == "InvalidBlockDeviceMapping"


@behaviour
def interfaces(aws: Emulator) -> None:
    account = Account(aws)
    _vpc, subnet = account.network()
    tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "owner", "Value": "me"}]}]
    instance = account.launch(SubnetId=subnet, TagSpecifications=tags)[0]["InstanceId"]
    where = [{"Name": "subnet-id", "Values": [subnet]}]
    found = account.ec2.describe_network_interfaces(Filters=where)["NetworkInterfaces"]
    assert [one["TagSet"] for one in found] == [[{"Key": "owner", "Value": "me"}]]
    account.ec2.terminate_instances(InstanceIds=[instance])
    assert not account.ec2.describe_network_interfaces(Filters=where)["NetworkInterfaces"]


@behaviour
def metadata_options(aws: Emulator) -> None:
    account = Account(aws)
    wanted = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"}
    instance = account.launch(MetadataOptions=wanted)[0]["InstanceId"]
    account.ec2.modify_instance_metadata_options(InstanceId=instance, HttpPutResponseHopLimit=3)
    options = account.instance(instance)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"], options["InstanceMetadataTags"]) == ("required", 3, "enabled")
    data = {"ImageId": account.image["ImageId"], "InstanceType": "t3.large", "MetadataOptions": {"HttpTokens": "required"}}
    account.ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    made = account.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "t"}, MinCount=1, MaxCount=1)["Instances"][0]
    assert made["MetadataOptions"]["HttpTokens"] == "required"


@behaviour
def termination_protection(aws: Emulator) -> None:
    account = Account(aws)
    plain = account.launch()[0]["InstanceId"]
    kept = account.launch(DisableApiTermination=True)[0]["InstanceId"]
    assert refusal(account.ec2.terminate_instances, InstanceIds=[plain, kept])[0] == "OperationNotPermitted"
    assert {account.instance(one)["State"]["Name"] for one in (plain, kept)} == {"running"}
    account.ec2.modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": False})
    account.ec2.terminate_instances(InstanceIds=[plain, kept])
    assert {account.instance(one)["State"]["Name"] for one in (plain, kept)} == {"terminated"}


@behaviour
def instance_attributes(aws: Emulator) -> None:
    account = Account(aws)
    vpc, subnet = account.network()
    group = account.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    instance = account.launch(SubnetId=subnet, SecurityGroupIds=[group])[0]["InstanceId"]
    change = account.ec2.modify_instance_attribute
    assert refusal(change, InstanceId=instance, InstanceType={"Value": "t3.xlarge"})[0] == "IncorrectInstanceState"
    change(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    shown = account.ec2.describe_instance_attribute(InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior")
    assert shown["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
    assert [one["GroupId"] for one in account.instance(instance)["SecurityGroups"]] == [group]
    account.ec2.stop_instances(InstanceIds=[instance])
    change(InstanceId=instance, InstanceType={"Value": "t3.xlarge"})
    assert account.instance(instance)["InstanceType"] == "t3.xlarge"


@behaviour
def profile_propagation(aws: Emulator) -> None:
    account = Account(aws)
    assert refusal(account.launch, IamInstanceProfile={"Name": "nobody"})[0] == "InvalidParameterValue"
    aws.timing(profile_propagation=3600)
    account.iam.create_instance_profile(InstanceProfileName="hosts")
    assert refusal(account.launch, IamInstanceProfile={"Name": "hosts"})[0] == "InvalidParameterValue"
    aws.timing(profile_propagation=0)
    assert account.launch(IamInstanceProfile={"Name": "hosts"})


@behaviour
def network_dependencies(aws: Emulator) -> None:
    account = Account(aws)
    ec2 = account.ec2
    vpc, subnet = account.network()
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    groups = [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("one", "two")]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": groups[1]}]}]
    ec2.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=rule)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    instance = account.launch(SubnetId=subnet, SecurityGroupIds=[groups[0]])[0]["InstanceId"]
    refused = {
        "group in use": refusal(ec2.delete_security_group, GroupId=groups[0])[0],
        "group in a rule": refusal(ec2.delete_security_group, GroupId=groups[1])[0],
        "subnet": refusal(ec2.delete_subnet, SubnetId=subnet)[0],
        "gateway": refusal(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)[0],
    }
    aws.timing(shutting_down=3600)
    ec2.terminate_instances(InstanceIds=[instance])
    refused["subnet of one that shuts down"] = refusal(ec2.delete_subnet, SubnetId=subnet)[0]
    assert set(refused.values()) == {"DependencyViolation"}, refused


@behaviour
def nat_gateways(aws: Emulator) -> None:
    account = Account(aws)
    _vpc, subnet = account.network()
    address = account.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = account.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    account.ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert "AssociationId" not in account.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    account.ec2.release_address(AllocationId=address)
    account.ec2.delete_subnet(SubnetId=subnet)


@behaviour
def public_addresses(aws: Emulator) -> None:
    account = Account(aws)
    _vpc, subnet = account.network()
    account.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    shown = account.instance(account.launch(SubnetId=subnet)[0]["InstanceId"])["PublicIpAddress"]
    elastic = {account.ec2.allocate_address(Domain="vpc")["PublicIp"] for _number in range(3)}
    assert ipaddress.ip_address(shown) in ipaddress.ip_network("198.51.100.0/24")
    assert len(elastic) == 3
    assert all(ipaddress.ip_address(one) in ipaddress.ip_network("203.0.113.0/24") for one in elastic)


@behaviour
def bucket_defaults(aws: Emulator) -> None:
    s3 = aws.client("s3")
    tags = [{"Key": "owner", "Value": "me"}, {"Key": "empty", "Value": ""}]
    s3.create_bucket(Bucket="fresh-one", CreateBucketConfiguration={"Tags": tags})
    assert s3.get_bucket_tagging(Bucket="fresh-one")["TagSet"] == tags
    s3.delete_bucket_encryption(Bucket="fresh-one")
    rule = s3.get_bucket_encryption(Bucket="fresh-one")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(s3.get_public_access_block(Bucket="fresh-one")["PublicAccessBlockConfiguration"].values())
    controls = s3.get_bucket_ownership_controls(Bucket="fresh-one")["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@behaviour
def bucket_ownership(aws: Emulator) -> None:
    s3, west = aws.client("s3"), aws.client("s3", region="us-west-2")
    assert refusal(s3.create_bucket, Bucket=TAKEN_BUCKET) == ("BucketAlreadyExists", 409)
    assert refusal(s3.head_bucket, Bucket=TAKEN_BUCKET)[1] == 403
    assert refusal(s3.get_bucket_tagging, Bucket=TAKEN_BUCKET) == ("AccessDenied", 403)
    assert refusal(s3.delete_bucket, Bucket=TAKEN_BUCKET) == ("AccessDenied", 403)
    for _again in range(2):
        assert refusal(s3.create_bucket, Bucket="my-own-one") == ("", 200)
    there = {"LocationConstraint": "us-west-2"}
    assert refusal(west.create_bucket, Bucket="my-own-one", CreateBucketConfiguration=there) == ("BucketAlreadyOwnedByYou", 409)
    assert TAKEN_BUCKET not in json.dumps([one["Name"] for one in s3.list_buckets()["Buckets"]])


@behaviour
def secure_transport(aws: Emulator) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="tls-only")
    about = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"]}
    always = {**about, "Action": "s3:PutObject"}
    plain = {**about, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [plain]}))
    s3.put_object(Bucket="tls-only", Key="model", Body=b"x")
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [always]}))
    assert refusal(s3.put_object, Bucket="tls-only", Key="model", Body=b"x")[1] == 403


@behaviour
def bucket_lifecycle(aws: Emulator) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept-versions")
    expiration = {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3}
    rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": expiration}
    s3.put_bucket_lifecycle_configuration(Bucket="kept-versions", LifecycleConfiguration={"Rules": [rule]})
    s3.create_bucket(Bucket="without-rules")
    assert refusal(s3.get_bucket_lifecycle_configuration, Bucket="without-rules") == ("NoSuchLifecycleConfiguration", 404)
    shown = s3.get_bucket_lifecycle_configuration(Bucket="kept-versions")["Rules"][0]
    assert shown.pop("ID")
    assert shown == rule


@behaviour
def spot_prices(aws: Emulator) -> None:
    found = aws.client("ec2").describe_spot_price_history(InstanceTypes=["g5.xlarge", "t3.large"], ProductDescriptions=["Linux/UNIX"])
    prices = {(one["InstanceType"], one["AvailabilityZone"][-1]): float(one["SpotPrice"]) for one in found["SpotPriceHistory"]}
    assert 0.3 < prices["g5.xlarge", "a"] < prices["g5.xlarge", "b"] < 1.006 and prices["t3.large", "a"] == 0.025


@behaviour
def reservations(aws: Emulator) -> None:
    account = Account(aws)
    _vpc, subnet = account.network()
    wish = {"InstanceType": "t3.large", "InstancePlatform": "Linux/UNIX", "AvailabilityZone": "us-east-1a", "InstanceCount": 1}
    reserved = account.ec2.create_capacity_reservation(**wish)["CapacityReservation"]["CapacityReservationId"]
    target = {"CapacityReservationTarget": {"CapacityReservationId": reserved}}
    count = {"MinCount": 1, "MaxCount": 1}
    asked = {"SubnetId": subnet, "CapacityReservationSpecification": target, "ImageId": account.image["ImageId"], **count}
    assert refusal(account.ec2.run_instances, **asked, InstanceType="t3.small")[0] == "Unsupported"

    def left() -> int:
        filters = [{"Name": "instance-type", "Values": ["t3.large"]}, {"Name": "state", "Values": ["active"]}]
        return account.ec2.describe_capacity_reservations(Filters=filters)["CapacityReservations"][0]["AvailableInstanceCount"]

    assert left() == 1
    (made,) = account.launch(SubnetId=subnet, CapacityReservationSpecification=target)
    assert left() == 0
    assert refusal(account.ec2.run_instances, **asked, InstanceType="t3.large")[0] == "ReservationCapacityExceeded"
    account.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    assert left() == 1
    account.ec2.cancel_capacity_reservation(CapacityReservationId=reserved)
    assert refusal(account.ec2.run_instances, **asked, InstanceType="t3.large")[0] == "ReservationCapacityExceeded"


@pytest.fixture(scope="module")
def unpatched() -> Iterator[Callable[[str], Emulator]]:
    """A server without the patch: one for all but the seeds, without which nothing else could be shown, and one without any."""
    seeds = {"images", "public_parameters"}
    with (
        Emulator(*(f"--without-patch={name}" for name in NAMES if name not in seeds)) as bare,
        Emulator(*(f"--without-patch={name}" for name in NAMES)) as empty,
    ):
        yield lambda name: empty if name in seeds else bare


def test_every_patch_has_a_behaviour() -> None:
    assert set(BEHAVIOURS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_patch_mends(name: str, aws: Emulator) -> None:
    BEHAVIOURS[name](aws)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_patch_it_is_broken(name: str, unpatched: Callable[[str], Emulator]) -> None:
    server = unpatched(name)
    server.reset()
    server.timing(**AT_ONCE)
    with pytest.raises((AssertionError, ClientError, KeyError, ResponseParserError)):
        BEHAVIOURS[name](server)
