# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by test_aws_view.py: serves the emulated AWS, changes instances through its API and looks at them through the view."""

from __future__ import annotations

from sandbox.aws.isolation import FAKE_KEY, FAKE_SECRET
from sandbox.aws.process import Emulator
from sandbox.aws.server import Server
from sandbox.aws.timing import TIMING
from sandbox.view import InstanceView

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt someone"
USER_DATA = "#!/bin/sh\necho done\n"


def main() -> None:
    from sandbox.aws.view import MotoView

    server = Server()
    server.listen("127.0.0.1")
    TIMING.change({"pending": 0, "stopping": 0, "shutting_down": 0, "profile_propagation": 0})
    aws, view = Emulator(), MotoView()
    aws.url = server.url
    ec2, iam, ssm = aws.client("ec2"), aws.client("iam"), aws.client("ssm")

    def seen() -> InstanceView:
        (one,) = view.instances()
        return one

    assert view.instances() == []
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="hosts", Description="hosts", VpcId=vpc)["GroupId"]
    ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=KEY.encode())
    iam.create_role(RoleName="hosts", Path="/mlinfra/", AssumeRolePolicyDocument="{}")
    profile = iam.create_instance_profile(InstanceProfileName="hosts")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="hosts", RoleName="hosts")
    image = ssm.get_parameter(Name="/aws/service/debian/release/13/latest/amd64")["Parameter"]["Value"]
    instance = ec2.run_instances(
        ImageId=image, InstanceType="g5.xlarge", MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group], KeyName="mine",
        IamInstanceProfile={"Arn": profile}, UserData=USER_DATA,
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "mlinfra:pool", "Value": "train"}]}],
    )["Instances"][0]
    assert seen().public_key == KEY
    ec2.delete_key_pair(KeyName="mine")
    one = seen()
    assert (one.instance_id, one.account_id, one.region, one.zone) == (instance["InstanceId"], "123456789012", "us-east-1", "us-east-1b")
    assert (one.state, one.instance_type, one.image_id, one.image_suite) == ("running", "g5.xlarge", image, "trixie")
    assert (one.private_ip, one.mac) == (instance["PrivateIpAddress"], instance["NetworkInterfaces"][0]["MacAddress"])
    assert (one.vpc_id, one.vpc_cidr, one.subnet_id, one.subnet_cidr) == (vpc, "10.9.0.0/16", subnet, "10.9.1.0/24")
    assert (one.key_name, one.public_key, one.user_data) == ("mine", KEY, USER_DATA.encode())
    assert (one.role_name, one.instance_profile_arn, one.tags) == ("hosts", profile, {"mlinfra:pool": "train"})
    assert (one.http_tokens, one.hop_limit, one.metadata_tags) == ("required", 2, True)
    assert one.security_groups == [{"id": group, "name": "hosts"}]
    print("launched")
    ids = {"InstanceIds": [one.instance_id]}
    first = one.boot_generation
    ec2.reboot_instances(**ids)
    assert (seen().boot_generation, seen().state) == (first + 1, "running")
    print("rebooted")
    ec2.stop_instances(**ids)
    assert seen().state == "stopped"
    print("stopped")
    ec2.start_instances(**ids)
    assert (seen().boot_generation, seen().state) == (first + 2, "running")
    print("started")
    keys = view.role_credentials(one.instance_id)
    assert keys == view.role_credentials(one.instance_id)
    theirs = aws.client("sts", session=aws.session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"]))
    assert theirs.get_caller_identity()["Arn"] == f"arn:aws:sts::123456789012:assumed-role/hosts/{one.instance_id}"
    assert aws.client("sts", session=aws.session(FAKE_KEY, FAKE_SECRET)).get_caller_identity()["Arn"].endswith(":user/moto")
    print("credentials")
    view.stopped_inside(one.instance_id)
    assert seen().state == "stopped"
    ec2.start_instances(**ids)
    ec2.modify_instance_attribute(InstanceId=one.instance_id, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    view.stopped_inside(one.instance_id)
    shown = ec2.describe_instances(**ids)["Reservations"][0]["Instances"][0]
    assert (seen().state, shown["StateReason"]["Code"]) == ("terminated", "Client.InstanceInitiatedShutdown")
    print("inside")
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    assert (seen().state, seen().vpc_cidr, seen().subnet_cidr) == ("terminated", "", "")
    print("gone")
    server.close()


if __name__ == "__main__":
    main()
