# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The block devices of a launch, and what is left of an instance that ends."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch_drift, volumes
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import ImageFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Disk, Image, Pool, Volume

DATA = Volume("/dev/sdf", 500, iops=16000, throughput=1000, kms_key="alias/ml")
SCRATCH = Volume("/dev/sdg", None, "io2", 5000, snapshot="snap-12345678", keep=True)
POOL = Pool("train", 1, ("g5.xlarge",), Image(id="ami-1"), disk=Disk(100), volumes=(DATA, SCRATCH))
IMAGE = ImageFacts("ami-1", root_device="/dev/sda1", devices=("/dev/sda1",))


def test_all_are_encrypted_and_only_the_kept_one_stays():
    assert volumes.mappings(POOL, IMAGE) == [
        {
            "DeviceName": "/dev/sda1",
            "Ebs": {"VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True, "VolumeSize": 100},
        },
        {
            "DeviceName": "/dev/sdf",
            "Ebs": {
                "VolumeType": "gp3",
                "Encrypted": True,
                "DeleteOnTermination": True,
                "VolumeSize": 500,
                "Iops": 16000,
                "Throughput": 1000,
                "KmsKeyId": "alias/ml",
            },
        },
        {
            "DeviceName": "/dev/sdg",
            "Ebs": {"VolumeType": "io2", "Encrypted": True, "DeleteOnTermination": False, "Iops": 5000, "SnapshotId": "snap-12345678"},
        },
    ]


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (("/dev/xvdf",), r"volumes\[0\].device is /dev/sdf: image ami-1 has a volume at /dev/xvdf"),
        (("/dev/sdg",), r"volumes\[1\].device is /dev/sdg: image ami-1 has a volume at /dev/sdg"),
    ],
)
def test_a_device_of_the_image(taken, said):
    with pytest.raises(StackError, match=said):
        volumes.check_devices(POOL, ImageFacts("ami-1", devices=taken))


def test_the_root_device_of_the_image():
    with pytest.raises(StackError, match="has its root volume at /dev/xvdf. Name another device"):
        volumes.check_devices(POOL, ImageFacts("ami-1", root_device="/dev/xvdf"))
    volumes.check_devices(POOL, IMAGE)


def raw(**more):
    return {
        "Placement": {"AvailabilityZone": "us-east-1a", "GroupName": ""},
        "NetworkInterfaces": [{"InterfaceType": "interface"}],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": True}},
            {"DeviceName": "/dev/xvdf", "Ebs": {"VolumeId": "vol-2", "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdg", "Ebs": {"VolumeId": "vol-3", "DeleteOnTermination": False}},
        ],
        **more,
    }


def test_an_instance_that_is_as_wished():
    facts = launch_drift.facts_of(raw())
    assert launch_drift.differences(facts, POOL, None) == []
    assert facts["kept_volumes"] == ["vol-3"]


@pytest.mark.parametrize(
    ("there", "wish", "group", "said"),
    [
        ({"Placement": {"GroupName": "old"}}, {}, None, ["placement group old, now none"]),
        ({}, {"placement": "cluster"}, "g", ["placement group none, now g"]),
        ({"NetworkInterfaces": [{"InterfaceType": "efa"}, {"InterfaceType": "efa-only"}]}, {}, None, ["efa, now without"]),
        ({}, {"efa": True}, None, ["no efa, now with"]),
        ({}, {"interfaces": 3}, None, ["interfaces 1, now 3"]),
        ({}, {"volumes": (DATA, Volume("/dev/sdh", 1))}, None, ["no volume /dev/sdh, now one"]),
    ],
)
def test_what_is_told_of_a_difference(there, wish, group, said):
    pool = Pool("train", 1, ("g5.xlarge",), Image(id="ami-1"), **{"volumes": POOL.volumes, **wish})
    assert launch_drift.differences(launch_drift.facts_of(raw(**there)), pool, group) == said


def test_facts_that_nobody_read_tell_nothing():
    assert launch_drift.differences({}, POOL, "g") == [] and launch_drift.staying({}) == ""


def test_what_stays():
    assert launch_drift.staying({"kept_volumes": ["vol-1", "vol-2"]}) == "volumes vol-1, vol-2 will stay: nothing here deletes them"
    assert launch_drift.facts_of({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {}}]})["kept_volumes"] == []


def test_what_hosts_leave_that_ended_with_their_launch():
    kept = dataclasses.replace(POOL, volumes=(Volume("/dev/sdf", 10, keep=True), Volume("/dev/sdg", 10)))
    told = volumes.left_behind(kept, {"train-0 (i-1)": ["vol-1"], "train-1 (i-2)": []})
    assert told == (
        "pools.train: train-0 (i-1), train-1 (i-2) ended with the launch. What keep: true keeps of /dev/sdf stays and costs: "
        "vol-1 of train-0 (i-1); those of train-1 (i-2), if EC2 made them, are available volumes with the tag mlinfra:pool train. "
        "Delete what you do not need: nothing here does."
    )
    assert volumes.left_behind(kept, {}) == volumes.left_behind(dataclasses.replace(kept, volumes=()), {"train-0": []}) == ""
