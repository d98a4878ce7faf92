# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removals of networks that somebody else uses."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError


def _somebody_elses(lab) -> tuple[str, str]:
    """An instance and a network interface that somebody else has in the stack's subnets."""
    ec2 = lab.client("ec2")
    first = ec2.describe_subnets(Filters=[{"Name": "tag:mlinfra:stack", "Values": ["vision"]}])["Subnets"][0]["SubnetId"]
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=first)["Instances"][0]["InstanceId"]
    return made, ec2.create_network_interface(SubnetId=first, Description="ELB app/web")["NetworkInterface"]["NetworkInterfaceId"]


def test_a_removal_says_beforehand_who_uses_its_subnet_and_goes_on_after_them(lab):
    """It ended its instances and waited five minutes for an error that did not name what was in the way."""
    lab.run()
    theirs, interface = _somebody_elses(lab)
    (line,) = [line for line in lab.end(check=True)["plan"] if theirs in line["reason"]]
    assert line["kind"] == "subnet" and line["action"] == "delete" and f"network interface {interface} (ELB app/web)" in line["reason"]
    with pytest.raises(StackError, match=f"subnet {line['name']} .* is used by instance {theirs} .*, which is not of this stack"):
        lab.end()
    assert lab.alive() == [theirs]
    lab.client("ec2").terminate_instances(InstanceIds=[theirs])
    lab.client("ec2").delete_network_interface(NetworkInterfaceId=interface)
    assert lab.end()["remaining"] == []


def test_a_removal_that_may_not_ask_who_uses_its_subnets_goes_on(lab):
    lab.run()
    lab.aws.fault(service="ec2", action="DescribeNetworkInterfaces", code="UnauthorizedOperation", message="no", times=0)
    assert lab.end()["remaining"] == []


def test_gateways_and_endpoints_of_the_stack_are_nobody_elses(lab):
    access = {"via": "bastion", "bastion_host": "192.0.2.9", "cidrs": ["192.0.2.9/32"]}
    network = {"cidr": "10.42.0.0/16", "zone_count": 1, "private": True, "access": access, "nat": "one", "endpoints": ["s3", "ecr"]}
    lab.run(network=network)
    assert lab.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert not [line for line in lab.end(check=True)["plan"] if "not of this stack" in line["reason"]]
    assert lab.end()["remaining"] == []
