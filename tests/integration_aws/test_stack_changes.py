# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when the declaration or the account changes: drift, more and fewer hosts, prune, tags."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError

BUCKET = "vision-dev-data-123456789012"
ROLE = "vision-dev-hosts"
ASIDE = {"pools": None, "key": None}  # for tests that need no hosts


def _pool(count, **more):
    return {
        "name": "train",
        "count": count,
        "instance_types": ["g5.xlarge"],
        "image": {"ssm": "/aws/service/debian/release/12/latest/amd64"},
        **more,
    }


def _open_to_all(lab):
    group = lab.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["vision-dev-hosts"]}])["SecurityGroups"][
        0
    ]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    lab.client("ec2").authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])


def _without_rules(lab):
    group = lab.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["vision-dev-hosts"]}])["SecurityGroups"][
        0
    ]
    lab.client("ec2").revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])


def _vpc(lab):
    return lab.client("ec2").describe_vpcs(Filters=[{"Name": "tag:mlinfra:stack", "Values": ["vision"]}])["Vpcs"][0]["VpcId"]


def _no_dns(lab):
    lab.client("ec2").modify_vpc_attribute(VpcId=_vpc(lab), EnableDnsHostnames={"Value": False})


def _other_tag(lab):
    lab.client("ec2").create_tags(Resources=[_vpc(lab)], Tags=[{"Key": "cost-center", "Value": "marketing"}])


def _tables(lab):
    filters = [{"Name": "tag:mlinfra:kind", "Values": ["route_table"]}]
    return lab.client("ec2").describe_route_tables(Filters=filters)["RouteTables"]


def _no_route(lab):
    lab.client("ec2").delete_route(RouteTableId=_tables(lab)[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")


def _loose_subnet(lab):
    association = next(one for one in _tables(lab)[0]["Associations"] if one.get("SubnetId"))
    lab.client("ec2").disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


def _loose_gateway(lab):
    gateway = lab.client("ec2").describe_internet_gateways(Filters=[{"Name": "tag:mlinfra:stack", "Values": ["vision"]}])[
        "InternetGateways"
    ][0]
    lab.client("ec2").detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=_vpc(lab))


def _no_lifecycle(lab):
    lab.client("s3").delete_bucket_lifecycle(Bucket=BUCKET)


def _no_policy(lab):
    lab.client("s3").delete_bucket_policy(Bucket=BUCKET)


def _public(lab):
    lab.client("s3").delete_public_access_block(Bucket=BUCKET)


def _owner(lab):
    rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    lab.client("s3").put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=rules)


def _versioned(lab):
    lab.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def _bucket_tags(lab):
    tags = lab.client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    changed = [{**tag, "Value": "x"} if tag["Key"] == "cost-center" else tag for tag in tags] + [{"Key": "theirs", "Value": "1"}]
    lab.client("s3").put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": changed})


def _mutability(lab):
    lab.client("ecr").put_image_tag_mutability(repositoryName="vision-dev/train", imageTagMutability="IMMUTABLE")


def _no_scan(lab):
    lab.client("ecr").put_image_scanning_configuration(repositoryName="vision-dev/train", imageScanningConfiguration={"scanOnPush": False})


def _no_keep(lab):
    lab.client("ecr").delete_lifecycle_policy(repositoryName="vision-dev/train")


def _more_rights(lab):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    lab.client("iam").put_role_policy(RoleName=ROLE, PolicyName="mlinfra", PolicyDocument=json.dumps(policy))


def _managed(lab):
    lab.client("iam").attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def _trusting(lab):
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    lab.client("iam").update_assume_role_policy(
        RoleName=ROLE, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def _roleless(lab):
    lab.client("iam").remove_role_from_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)


DRIFTS = {
    "vpc": (_no_dns, _other_tag),
    "security_group": (_open_to_all, _without_rules),
    "route_table": (_no_route, _loose_subnet),
    "internet_gateway": (_loose_gateway,),
    "bucket": (_no_lifecycle, _no_policy, _public, _owner, _versioned, _bucket_tags),
    "repository": (_mutability, _no_scan, _no_keep),
    "role": (_more_rights, _managed, _trusting),
    "instance_profile": (_roleless,),
}


@pytest.mark.parametrize("turn", range(max(map(len, DRIFTS.values()))))
def test_every_drift_is_seen_and_mended(lab, actions, turn):
    """In each turn every kind that has so many drifts gets its next one."""
    lab.run(**ASIDE)
    drifted = {kind: drifts[turn] for kind, drifts in DRIFTS.items() if turn < len(drifts)}
    for drift in drifted.values():
        drift(lab)
    planned = lab.plan(**ASIDE)
    assert {(kind, action) for kind, _name, action in actions(planned)} == {(kind, "update") for kind in drifted}
    assert all(one["before"] != one["after"] for one in planned["diff"])
    mended = lab.run(expect_plan=planned["plan_id"], **ASIDE)
    assert mended["summary"]["update"] == len(planned["diff"])
    again = lab.plan(**ASIDE)
    assert not again["changed"], again["diff"]


def test_tags_of_others_stay(lab):
    lab.run(**ASIDE)
    _bucket_tags(lab)
    lab.client("ec2").create_tags(Resources=[_vpc(lab)], Tags=[{"Key": "theirs", "Value": "1"}])
    lab.run(**ASIDE)
    theirs = {"Key": "theirs", "Value": "1"}
    assert theirs in lab.client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    assert theirs in lab.client("ec2").describe_vpcs(VpcIds=[_vpc(lab)])["Vpcs"][0]["Tags"]


def test_declared_changes_reach_what_is_there(lab, actions):
    lab.run(**ASIDE)
    buckets = [
        {"name": "data", "versioning": True, "encryption": "kms", "tls_only": False, "lifecycle": [{"prefix": "a/", "expire_days": 3}]}
    ]
    repositories = [{"name": "train", "immutable_tags": True, "scan_on_push": False, "keep_last": 5}]
    more = {
        "buckets": buckets,
        "repositories": repositories,
        "identity": {"read": ["data"], "write": ["data"], "push": ["train"]},
        "tags": {"cost-center": "research", "new": "1"},
        "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
        "network": {"cidr": "10.42.0.0/16", "zone_count": 3, "access": {"cidrs": ["192.0.2.7/32"]}},
    }
    changed = lab.run(**{**ASIDE, **more})
    kinds = {kind for kind, _name, action in actions(changed) if action == "update"}
    assert kinds == {
        "vpc",
        "subnet",
        "internet_gateway",
        "route_table",
        "security_group",
        "bucket",
        "repository",
        "role",
        "instance_profile",
    }
    again = lab.run(**{**ASIDE, **more})
    assert not again["changed"], again["diff"]
    assert lab.client("s3").get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    boundary = lab.client("iam").get_role(RoleName=ROLE)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary == "arn:aws:iam::aws:policy/PowerUserAccess"


def test_statements_of_others_stay_in_a_bucket_policy(lab):
    lab.run(**ASIDE)
    policy = json.loads(lab.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "s3:GetObject"}
    policy["Statement"] = [{**theirs, "Resource": f"arn:aws:s3:::{BUCKET}/*"}]
    lab.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    assert lab.run(**ASIDE)["changed"]
    sids = [one["Sid"] for one in json.loads(lab.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]]
    assert sorted(sids) == ["MlinfraTlsOnly", "Theirs"]
    assert not lab.run(**ASIDE)["changed"]


def test_counting_up_launches_only_what_is_missing(lab, actions):
    first = lab.run(pools=[_pool(2)])["outputs"]["pools"]["train"]["instance_ids"]
    more = lab.run(pools=[_pool(5)])
    assert actions(more) == [("instance", f"train-{slot}", "create") for slot in (2, 3, 4)]
    assert more["outputs"]["pools"]["train"]["instance_ids"][:2] == first
    lab.client("ec2").terminate_instances(InstanceIds=[more["outputs"]["pools"]["train"]["instance_ids"][1]])
    filled = lab.run(pools=[_pool(5)])
    assert actions(filled) == [("instance", "train-1", "create")]
    assert len(lab.alive()) == 5 and not lab.run(pools=[_pool(5)])["changed"]


def test_counting_down_needs_max_delete(lab, actions):
    made = lab.run(pools=[_pool(3)])["outputs"]["pools"]["train"]["instance_ids"]
    assert actions(lab.plan(pools=[_pool(1)])) == [("instance", "train-1", "blocked"), ("instance", "train-2", "blocked")]
    lab.calls()
    with pytest.raises(StackError, match="max_delete is 0 and 2 would be deleted.*Set max_delete to 2"):
        lab.run(pools=[_pool(1)])
    assert len(lab.alive()) == 3
    fewer = lab.run(pools=[_pool(1)], max_delete=2)
    assert fewer["outputs"]["pools"]["train"]["instance_ids"] == made[:1] == lab.alive()
    assert lab.run(pools=[_pool(3)])["changed"] and len(lab.alive()) == 3


def test_protected_hosts_are_not_ended(lab):
    lab.run(pools=[_pool(2, termination_protection=True)])
    with pytest.raises(StackError, match=r"has termination protection; name its pool in force: \[train\]"):
        lab.run(pools=[_pool(1, termination_protection=True)], max_delete=1)
    with pytest.raises(StackError, match="has termination protection"):
        lab.end()
    assert len(lab.alive()) == 2
    assert lab.end(force=["train"])["remaining"] == [] and lab.alive() == []


def test_an_outdated_host_is_kept_and_said_to_be(lab):
    lab.run(pools=[_pool(1)])
    image = {"ssm": "/aws/service/debian/release/13/latest/amd64"}
    planned = lab.plan(pools=[_pool(1, image=image) | {"instance_types": ["g5.2xlarge"]}])
    line = next(line for line in planned["plan"] if line["kind"] == "instance")
    assert line["action"] == "keep" and not planned["changed"]
    assert line["reason"].startswith("outdated: instance_type g5.xlarge, now g5.2xlarge; image_id ami-")


def test_an_image_that_is_gone_is_no_matter_for_hosts_that_run(lab):
    """The plan must not fail where the run does not."""
    lab.run(pools=[_pool(1)])
    gone = {"image": {"id": "ami-00000000000000000"}}
    assert not lab.plan(pools=[_pool(1, **gone)])["changed"] and not lab.run(pools=[_pool(1, **gone)])["changed"]
    for check in (True, False):
        with pytest.raises(StackError, match="us-east-1 has no such image"):
            lab.run(check, pools=[_pool(2, **gone)])


def test_volumes_that_others_attach_are_not_tagged(lab):
    lab.run(pools=[_pool(1)])
    ec2, [host] = lab.client("ec2"), lab.alive()
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.attach_volume(Device="/dev/sdf", InstanceId=host, VolumeId=volume)
    assert lab.run(pools=[_pool(1, tags={"team": "web"})])["changed"]
    assert not ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0].get("Tags")
    root = ec2.describe_volumes(Filters=[{"Name": "tag:team", "Values": ["web"]}])["Volumes"]
    assert len(root) == 1


def test_a_stopped_host_counts_as_present(lab):
    made = lab.run(pools=[_pool(1)])["outputs"]["pools"]["train"]["instance_ids"]
    lab.client("ec2").stop_instances(InstanceIds=made)
    result = lab.run(pools=[_pool(1)])
    assert not result["changed"] and "counts as present" in next(one["reason"] for one in result["plan"] if one["kind"] == "instance")


def test_prune_removes_what_a_given_section_no_longer_has(lab, actions):
    two = [{"name": "data"}, {"name": "artifacts"}]
    lab.run(buckets=two, repositories=[{"name": "train"}, {"name": "serve"}], **ASIDE)
    shorter = {"buckets": [{"name": "data"}], "repositories": [{"name": "train"}], **ASIDE}
    assert not lab.run(**shorter)["changed"]
    assert actions(lab.plan(**shorter, prune=True), "blocked") == [("repository", "serve", "blocked"), ("bucket", "artifacts", "blocked")]
    with pytest.raises(StackError, match="max_delete is 1 and 2 would be deleted"):
        lab.run(**shorter, prune=True, max_delete=1)
    lab.run(**shorter, prune=True, max_delete=2)
    assert [one["Name"] for one in lab.client("s3").list_buckets()["Buckets"] if one["Name"].startswith("vision")] == [BUCKET]
    lab.run(**{**shorter, "buckets": None, "identity": None}, prune=True, max_delete=9)  # a section that is not given is not pruned
    assert [one["Name"] for one in lab.client("s3").list_buckets()["Buckets"] if one["Name"].startswith("vision")] == [BUCKET]


def test_nat_goes_with_prune_only(lab, actions):
    private = {"cidr": "10.42.0.0/16", "zone_count": 1, "private": True, "access": {"via": "bastion", "bastion_host": "192.0.2.9"}}
    aside = {**ASIDE, "buckets": None, "repositories": None, "identity": None}
    lab.run(network={**private, "nat": "one"}, **aside)
    assert not lab.run(network=private, **aside)["changed"]
    lab.run(network=private, prune=True, max_delete=2, **aside)
    assert not lab.plan(network=private, prune=True, **aside)["changed"]
    assert lab.client("ec2").describe_addresses()["Addresses"] == []
    assert lab.end()["remaining"] == []


def test_images_are_kept_again_without_keep_last(lab, actions):
    lab.run(**{**ASIDE, "repositories": [{"name": "train", "keep_last": 2}]})
    forever = {**ASIDE, "repositories": [{"name": "train"}]}
    assert actions(lab.run(**forever)) == [("repository", "train", "update")]
    ecr = lab.client("ecr")
    with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
        ecr.get_lifecycle_policy(repositoryName="vision-dev/train")
    theirs = {"rules": [{"rulePriority": 5, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
                         "action": {"type": "expire"}}]}  # fmt: skip
    ecr.put_lifecycle_policy(repositoryName="vision-dev/train", lifecyclePolicyText=json.dumps(theirs))
    assert not lab.run(**forever)["changed"]


def test_a_ping_that_somebody_allowed_is_revoked(lab):
    """ICMP has a type and a code of -1 where others have ports."""
    lab.run(**ASIDE)
    ec2 = lab.client("ec2")
    group = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["vision-dev-hosts"]}])["SecurityGroups"][0]["GroupId"]
    ping = {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ping])
    assert lab.run(**ASIDE)["changed"] and not lab.run(**ASIDE)["changed"]


def test_a_gateway_that_somebody_deleted_is_made_again(lab, actions):
    network = {"cidr": "10.42.0.0/16", "zone_count": 1, "private": True, "nat": "one", "access": {"cidrs": ["10.0.0.0/8"]}}
    private = {**ASIDE, "network": network, "buckets": None, "repositories": None, "identity": None}
    tokens = []
    events, name = lab.clients().get("ec2").meta.events, "provide-client-params.ec2.CreateNatGateway"
    events.register(name, note := lambda params, **_: tokens.append(params["ClientToken"]))
    lab.run(**private)
    gateway = lab.client("ec2").describe_nat_gateways()["NatGateways"][0]["NatGatewayId"]
    lab.client("ec2").delete_nat_gateway(NatGatewayId=gateway)
    assert ("nat_gateway", "us-east-1a", "create") in actions(lab.run(**private))
    events.unregister(name, note)
    assert not lab.run(**private)["changed"]
    assert len(set(tokens)) == 2  # the same one would be answered with the gateway that is gone


def test_a_zone_less_cuts_nobody_off_before_prune(lab, actions):
    network = {"cidr": "10.42.0.0/16", "zone_count": 2, "access": {"cidrs": ["192.0.2.0/24"]}}
    aside = {**ASIDE, "buckets": None, "repositories": None, "identity": None}
    lab.run(**aside, network=network)
    smaller = {**aside, "network": {**network, "zone_count": 1}}
    assert actions(lab.run(**smaller)) == []
    assert ("subnet", "public-us-east-1b", "delete") in actions(lab.run(**smaller, prune=True, max_delete=1))


def test_a_new_public_key_replaces_the_key_pair(lab, actions):
    aside = {"network": None, "buckets": None, "repositories": None, "identity": None, "pools": None}
    lab.run(**aside)
    other = {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQ5c2Rmc2Rmc2Rmc2Rmc2Rmc2Rmc2Rmc2Rmc2Rmc2Rm b"}
    assert actions(lab.plan(key=other, **aside)) == [("key_pair", "vision-dev", "blocked")]
    assert lab.run(key=other, max_delete=1, **aside)["summary"] == {"replace": 1}
    assert not lab.run(key=other, **aside)["changed"]


def test_another_range_is_refused(lab):
    lab.run(**ASIDE)
    with pytest.raises(StackError, match=r"cidr is 10.42.0.0/16 and cannot become 10.43.0.0/16"):
        lab.run(network={"cidr": "10.43.0.0/16", "zone_count": 3, "access": {"cidrs": ["192.0.2.0/24"]}}, **ASIDE)


def test_one_zone_more_moves_no_subnet(lab, actions):
    aside = {**ASIDE, "buckets": None, "repositories": None, "identity": None}
    two = {"cidr": "10.42.0.0/16", "zone_count": 2, "access": {"cidrs": ["192.0.2.0/24"]}}
    lab.run(network=two, **aside)
    assert actions(lab.run(network={**two, "zone_count": 3}, **aside)) == [
        ("subnet", "public-us-east-1c", "create"),
        ("route_table", "public", "update"),
    ]
    assert not lab.run(network={**two, "zone_count": 3}, **aside)["changed"]


def test_full_buckets_and_repositories_need_force(lab):
    lab.run(buckets=[{"name": "data", "versioning": True}], **ASIDE)
    for _version in range(3):
        lab.client("s3").put_object(Bucket=BUCKET, Key="model", Body=b"x")
    lab.client("s3").delete_object(Bucket=BUCKET, Key="model")
    lab.calls()
    with pytest.raises(StackError, match=r"holds objects; name it in force: \[data\]"):
        lab.end()
    assert not [name for name in lab.calls() if ":Delete" in name]
    assert lab.end(force=["data"])["remaining"] == []
