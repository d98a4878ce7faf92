# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool wants of its launch beside a type: volumes, a placement group, EFA, several interfaces; and what all of it is together."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import pool

PRIVATE = {"cidr": "10.42.0.0/16", "zone_count": 3, "private": True, "access": {"cidrs": ["10.0.0.0/8"]}}
GROUP = "vision-dev-train"


def running(lab):
    return [raw for raw in lab.instances() if raw["State"]["Name"] == "running"]


def groups(lab):
    return {one["GroupName"]: one for one in lab.client("ec2").describe_placement_groups()["PlacementGroups"]}


def volumes(lab, raw):
    """Device → volume of one instance."""
    ids = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in raw["BlockDeviceMappings"]}
    return {device: lab.client("ec2").describe_volumes(VolumeIds=[id])["Volumes"][0] for device, id in ids.items()}


def laid(raw):
    found = [
        (one["Attachment"]["NetworkCardIndex"], one["Attachment"]["DeviceIndex"], one["InterfaceType"]) for one in raw["NetworkInterfaces"]
    ]
    return sorted(found)


def lines(told, kind):
    return [(line["name"], line["action"], line["reason"]) for line in told["plan"] if line["kind"] == kind]


def tags(raw):
    return {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}


def test_everything_of_one_launch_holds_together(lab, go):
    more = [{"gib": 500, "iops": 16000, "throughput": 1000}, {"device": "/dev/sdf", "gib": 100, "type": "io2", "iops": 5000, "keep": True}]
    wish = pool(
        disk={"gib": 200, "iops": 6000, "throughput": 500},
        volumes=more,
        placement="cluster",
        user_data="#!/bin/sh\n",
        termination_protection=True,
        tags={"team": "vision"},
    )
    told = go(wish)
    hosts = running(lab)
    assert len(hosts) == 2
    for raw in hosts:
        assert raw["MetadataOptions"]["HttpTokens"] == "required" and raw["Placement"]["GroupName"] == GROUP
        there = volumes(lab, raw)
        said = {
            device: (one["Size"], one["VolumeType"], one["Iops"], one.get("Throughput"), one["Encrypted"]) for device, one in there.items()
        }
        assert said == {
            "/dev/xvda": (200, "gp3", 6000, 500, True),
            "/dev/sdg": (500, "gp3", 16000, 1000, True),
            "/dev/sdf": (100, "io2", 5000, None, True),
        }
        assert {one["Ebs"].get("DeleteOnTermination") for one in raw["BlockDeviceMappings"] if one["DeviceName"] != "/dev/sdf"} == {True}
        assert all(tags(one)["team"] == "vision" and tags(one)["Name"] == "vision-dev-train" for one in there.values())
        protected = lab.client("ec2").describe_instance_attribute(InstanceId=raw["InstanceId"], Attribute="disableApiTermination")
        assert protected["DisableApiTermination"]["Value"] is True
        assert lab.client("ec2").describe_instance_attribute(InstanceId=raw["InstanceId"], Attribute="userData")["UserData"]["Value"]
    made = [line["after"] for line in told["plan"] if line["kind"] == "instance"]
    assert {one["instance_store_gib"] for one in made} == {232} and len({raw["Placement"]["AvailabilityZone"] for raw in hosts}) == 1
    assert not go(wish)["changed"]


def test_what_a_pool_does_not_want_costs_no_request(lab, go):
    go(pool())
    lab.calls()
    assert not go(pool())["changed"]
    plain = lab.calls()
    assert not {"ec2:DescribeInstanceTypes", "ec2:DescribePlacementGroups"} & set(plain)
    go(pool(), pool(name="close", count=1, placement="cluster"))
    lab.calls()
    assert not go(pool(), pool(name="close", count=1, placement="cluster"))["changed"]
    assert lab.calls() == {**plain, "ec2:DescribePlacementGroups": 1}


def test_kept_volumes_are_named_before_and_stay_after(lab, go):
    wish = pool(count=1, volumes=[{"gib": 10, "keep": True}, {"gib": 20}])
    go(wish)
    there = volumes(lab, running(lab)[0])
    kept = there["/dev/sdf"]["VolumeId"]
    (line,) = lines(lab.pools(pool(count=0), check=True, max_delete=1), "instance")
    assert line[1] == "delete" and line[2].endswith(f"volume {kept} will stay: nothing here deletes it")
    told = lab.end()
    assert told["remaining"] == [] and kept in next(reason for _name, _action, reason in lines(told, "instance"))
    left = lab.client("ec2").describe_volumes(Filters=[{"Name": "tag:mlinfra:stack", "Values": ["vision"]}])["Volumes"]
    assert [one["VolumeId"] for one in left] == [kept]


def test_a_device_that_the_image_has_is_refused_before_anything_is_made(lab, go):
    ec2 = lab.client("ec2")
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]
    with pytest.raises(
        StackError, match=r"volumes\[0\]\.device is /dev/sdb: image ami-.* has a volume at /dev/xvdb. Name another"
    ) as caught:
        _with_image(lab, go, {**source, "BlockDeviceMappings": [*source["BlockDeviceMappings"], {"DeviceName": "/dev/xvdb", "Ebs": {}}]})
    assert caught.value.details["path"] == "pools.train.volumes[0].device" and lab.instances() == []


def _with_image(lab, go, raw):
    """A run for which DescribeImages answers with this image: the emulator's images have a root volume only."""
    ec2 = lab.clients().get("ec2")
    before = ec2.describe_images
    ec2.describe_images = lambda **_filters: {"Images": [raw]}
    try:
        go(pool(image={"id": raw["ImageId"]}, volumes=[{"device": "/dev/sdb", "gib": 10}]))
    finally:
        ec2.describe_images = before


def test_a_cluster_is_made_lived_in_and_removed(lab, go):
    wish = pool(count=2, placement="cluster")
    told = go(wish)
    assert [line[:2] for line in lines(told, "placement_group")] == [(GROUP, "create")]
    made = groups(lab)[GROUP]
    assert made["Strategy"] == "cluster" and tags(made)["mlinfra:kind"] == "placement_group" and tags(made)["cost-center"] == "ml"
    assert {raw["Placement"]["GroupName"] for raw in running(lab)} == {GROUP}
    lab.client("ec2").create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "cost-center", "Value": "other"}])
    assert lines(go(wish), "placement_group") == [(GROUP, "update", "tags differ")] and tags(groups(lab)[GROUP])["cost-center"] == "ml"
    # no pool wants it any more: it stays while somebody lives in it, and goes when asked for
    told = go(pool(count=2), prune=True)
    assert lines(told, "placement_group") == [(GROUP, "keep", "no pool wants it any more; it stays while train-0, train-1 is in it")]
    assert all("outdated: placement group vision-dev-train, now none" in reason for _name, _action, reason in lines(told, "instance"))
    assert not told["changed"]
    go(pool(count=0), prune=True, max_delete=2)
    assert lines(go(pool(count=0), prune=True), "placement_group") == [(GROUP, "delete", "not declared any more")]
    assert groups(lab) == {}
    # beside a pool that has one it needs no asking
    go(pool(count=0, placement="cluster"), pool(name="other", count=0, placement="cluster"))
    go(pool(count=0), pool(name="other", count=0, placement="cluster"))
    assert list(groups(lab)) == ["vision-dev-other"]


def test_absent_removes_the_group_after_its_instances(lab, go):
    go(pool(placement="cluster"))
    told = lab.end()
    assert told["remaining"] == [] and groups(lab) == {} and lab.alive() == []


def test_a_cluster_goes_to_one_zone_as_a_whole(lab, go):
    go()
    subnets = {
        raw["AvailabilityZone"]: raw["SubnetId"] for raw in lab.client("ec2").describe_subnets()["Subnets"] if not raw["DefaultForAz"]
    }
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1a"], capacity=2, times=0)
    go(pool(count=3, placement="cluster"))
    assert {raw["Placement"]["AvailabilityZone"] for raw in running(lab)} == {"us-east-1b"} and len(running(lab)) == 3
    # one more has to go where the others are, also when that zone has nothing left
    lab.aws.fault(service="ec2", action="RunInstances", match=subnets["us-east-1b"], capacity=0, times=0)
    with pytest.raises(StackError, match="train has 3 of 4 instances, and no offer is left"):
        go(pool(count=4, placement="cluster"))
    assert len(running(lab)) == 3


def test_an_answer_that_never_comes_makes_one_group(lab, go):
    lab.aws.fault(service="ec2", action="CreatePlacementGroup", after_effect=True, drop=True, times=1)
    go(pool(placement="cluster"))
    assert list(groups(lab)) == [GROUP] and len(running(lab)) == 2


def test_somebody_elses_group_of_that_name_is_in_the_way(lab, go):
    lab.client("ec2").create_placement_group(GroupName=GROUP, Strategy="cluster")
    with pytest.raises(StackError, match=f"pools.train.placement wants placement_group {GROUP}: one of that name is there"):
        go(pool(placement="cluster"))


def test_types_that_cannot_be_in_a_cluster_are_no_offers(lab, go):
    told = go(pool(count=1, instance_types=["t3.large", "g5.xlarge"], placement="cluster"))
    assert {one["instance_type"] for one in told["offers"]["train"]} == {"g5.xlarge"}
    expected = (
        "pools.burst.placement is cluster: no offer can be launched so .t3.large: it cannot be in a placement group with strategy cluster"
    )
    with pytest.raises(StackError, match=expected) as caught:
        go(pool(count=1), pool(name="burst", instance_types=["t3.large"], placement="cluster"))
    assert caught.value.details["path"] == "pools.burst.placement" and "Allow other types" in caught.value.message


def test_an_existing_group_is_read_and_never_written(lab, go, writes):
    ec2 = lab.client("ec2")
    wish = pool(count=1, placement="cluster", existing_placement_group="theirs")
    with pytest.raises(StackError, match="existing_placement_group is theirs: us-east-1 has no placement group of that name. Make it"):
        go(wish)
    ec2.create_placement_group(GroupName="theirs", Strategy="spread")
    with pytest.raises(StackError, match="existing_placement_group is theirs: its strategy is spread, and placement is cluster"):
        go(wish)
    ec2.delete_placement_group(GroupName="theirs")
    ec2.create_placement_group(GroupName="theirs", Strategy="cluster")
    subnet = next(raw for raw in ec2.describe_subnets()["Subnets"] if raw["AvailabilityZone"] == "us-east-1c")["SubnetId"]
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]["ImageId"]
    theirs = {"ImageId": image, "InstanceType": "g5.xlarge", "SubnetId": subnet, "Placement": {"GroupName": "theirs"}}
    ec2.run_instances(**theirs, MinCount=1, MaxCount=1)
    lab.calls()
    told = go(wish)
    assert not {name for name in writes(lab.calls()) if "PlacementGroup" in name}
    assert lines(told, "placement_group") == [("theirs", "keep", "exists already: read, never written")]
    assert {(raw["Placement"]["GroupName"], raw["Placement"]["AvailabilityZone"]) for raw in running(lab)} == {("theirs", "us-east-1c")}
    with pytest.raises(StackError, match="placement group theirs has its instances in us-east-1c.*Allow types and markets of that zone"):
        go(pool(count=2, zones=["us-east-1a"], placement="cluster", existing_placement_group="theirs"))
    lab.end()
    assert "theirs" in groups(lab)


def test_efa_has_an_adapter_on_each_card_and_rules_of_its_own(lab, go):
    wish = pool(instance_types=["p4d.24xlarge"], efa=True, placement="cluster")
    told = go(wish, network=PRIVATE)
    for raw in running(lab):
        assert laid(raw) == [(0, 0, "efa"), (1, 1, "efa-only"), (2, 1, "efa-only"), (3, 1, "efa-only")]
        assert "PublicIpAddress" not in raw and all(one["Groups"] for one in raw["NetworkInterfaces"])
    assert [line["after"]["instance_store_gib"] for line in told["plan"] if line["kind"] == "instance"] == [7450, 7450]
    (group,) = lab.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["vision-dev-hosts"]}])[
        "SecurityGroups"
    ]
    for rules in (group["IpPermissions"], group["IpPermissionsEgress"]):
        assert [
            one for one in rules if one["IpProtocol"] == "-1" and group["GroupId"] in [pair["GroupId"] for pair in one["UserIdGroupPairs"]]
        ]
    assert not go(wish, network=PRIVATE)["changed"]
    assert lab.end()["remaining"] == []


def test_a_group_gets_the_rule_when_a_pool_wants_efa_later_and_then_keeps_it(lab, go):
    go(pool(), network=PRIVATE)
    more = pool(name="fast", instance_types=["g5.8xlarge"], count=1, efa=True)
    told = go(pool(), more, network=PRIVATE)
    assert ("hosts", "update", "efa differ") in lines(told, "security_group")
    assert not go(pool(), more, network=PRIVATE)["changed"]
    assert not go(pool(), network=PRIVATE)["changed"]
    assert "efa" not in next(line for line in go(pool(), network=PRIVATE)["plan"] if line["kind"] == "security_group")["after"]


def test_one_adapter_goes_with_a_public_address_and_several_do_not(lab, go):
    go(pool(count=1, instance_types=["g5.8xlarge"], efa=True))
    (raw,) = running(lab)
    assert laid(raw) == [(0, 0, "efa")] and raw["PublicIpAddress"]
    lab.calls()
    with pytest.raises(
        StackError, match=r"pools.train.efa is true: .*p4d.24xlarge: it gets 4 network interfaces.*Set network.private: true"
    ):
        go(pool(count=2, instance_types=["p4d.24xlarge"], efa=True))
    assert "ec2:RunInstances" not in lab.calls()


def test_types_without_efa_are_no_offers(lab, go):
    told = go(pool(count=1, instance_types=["g5.xlarge", "g5.8xlarge"], efa=True))
    assert {one["instance_type"] for one in told["offers"]["train"]} == {"g5.8xlarge"}
    with pytest.raises(StackError, match=r"pools.other.efa is true: no offer can be launched so \(g5.xlarge: it has no EFA\)"):
        go(pool(count=1, instance_types=["g5.8xlarge"], efa=True), pool(name="other", efa=True))


def test_existing_groups_have_to_let_efa_through(lab, go):
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)["GroupId"]
    network = {"private": True, "existing": {"vpc": {"id": vpc}, "subnets": {"ids": [subnet]}, "security_groups": {"ids": [group]}}}
    wish = pool(count=1, instance_types=["p4d.24xlarge"], efa=True)
    itself = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    for _rule in range(2):
        with pytest.raises(
            StackError, match=f"efa is true: EFA needs a security group that allows all traffic to and from itself, and {group}"
        ):
            go(wish, network=network)
        if _rule == 0:
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=itself)
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=itself)
    go(wish, network=network)
    assert len(running(lab)) == 1


def test_several_interfaces_have_an_address_each(lab, go):
    go(pool(count=1, interfaces=3), network=PRIVATE)
    (raw,) = running(lab)
    assert laid(raw) == [(0, 0, "interface"), (0, 1, "interface"), (0, 2, "interface")]
    assert len({one["PrivateIpAddress"] for one in raw["NetworkInterfaces"]}) == 3
    with pytest.raises(StackError, match=r"pools.train.interfaces is 5: .*g5.xlarge: it takes 4 network interfaces, fewer than are wanted"):
        go(pool(count=2, interfaces=5), network=PRIVATE)


def test_what_instances_have_otherwise_is_told_and_nothing_is_done(lab, go):
    go(pool(count=1), network=PRIVATE)
    told = go(pool(count=1, interfaces=2, volumes=[{"gib": 10}], placement="cluster"), network=PRIVATE)
    (line,) = lines(told, "instance")
    assert line[1:] == ("keep", "outdated: placement group none, now vision-dev-train; interfaces 1, now 2; no volume /dev/sdf, now one")
    assert lab.pools(pool(count=1, instance_types=["g5.8xlarge"], efa=True), check=True, network=PRIVATE)["summary"].get("create") is None


def test_the_plan_id_hangs_on_the_wish_and_not_on_what_types_have(lab, go):
    plans = [
        lab.pools(pool(**more), check=True)["plan_id"]
        for more in ({}, {"volumes": [{"gib": 10}]}, {"placement": "cluster"}, {"efa": True, "instance_types": ["g5.8xlarge"]})
    ]
    assert len(set(plans)) == 4
    assert lab.pools(pool(placement="cluster"), expect_plan=plans[2])["changed"]


def test_spot_goes_into_the_group_with_its_volumes_and_adapters(lab, go):
    wish = pool(instance_types=["p4d.24xlarge"], market=["spot"], efa=True, placement="cluster", volumes=[{"gib": 50, "keep": True}])
    go(wish, network=PRIVATE)
    hosts = running(lab)
    assert len(hosts) == 2 and {raw["InstanceLifecycle"] for raw in hosts} == {"spot"}
    for raw in hosts:
        assert raw["Placement"]["GroupName"] == GROUP and len(laid(raw)) == 4 and laid(raw)[3] == (3, 1, "efa-only")
        assert volumes(lab, raw)["/dev/sdf"]["Encrypted"]
    assert not go(wish, network=PRIVATE)["changed"]
