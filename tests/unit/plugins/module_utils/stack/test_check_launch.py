# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration may say of volumes, placement, EFA and interfaces, and what it is told when it may not."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse

DOCUMENT = {
    "name": "vision",
    "environment": "dev",
    "account_id": "123456789012",
    "region": "us-east-1",
    "network": {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["192.0.2.0/24"]}},
    "key": {"name": "theirs", "existing": True},
}


def read(**more):
    pool = {"name": "train", "instance_types": ["g5.xlarge"], "image": {"id": "ami-0123456789abcdef0"}, **more}
    stack, _control = parse({**DOCUMENT, "pools": [pool]})
    return stack.pools[0]


def refused(**more):
    with pytest.raises(DocumentError) as caught:
        read(**more)
    return caught.value.message


def test_a_pool_that_says_nothing():
    pool = read()
    assert (pool.volumes, pool.placement, pool.existing_placement_group, pool.efa, pool.interfaces) == ((), "none", None, False, 1)


def test_devices_are_chosen_around_those_that_are_named():
    pool = read(volumes=[{"gib": 1}, {"gib": 2, "device": "/dev/xvdf"}, {"gib": 3}, {"gib": 4, "device": "/dev/sdh"}, {"gib": 5}])
    assert [one.device for one in pool.volumes] == ["/dev/sdg", "/dev/xvdf", "/dev/sdi", "/dev/sdh", "/dev/sdj"]


def test_a_volume_of_each_kind():
    (gp3, io2, copy) = read(
        volumes=[
            {"gib": "500", "iops": 16000, "throughput": 1000, "kms_key": "alias/ml"},
            {"gib": 100, "type": "io2", "iops": 100000, "keep": "yes"},
            {"snapshot": "snap-0123456789abcdef0"},
        ]
    ).volumes
    assert (gp3.gib, gp3.type, gp3.iops, gp3.throughput, gp3.kms_key, gp3.keep) == (500, "gp3", 16000, 1000, "alias/ml", False)
    assert (io2.type, io2.iops, io2.keep) == ("io2", 100000, True) and (copy.gib, copy.snapshot) == (None, "snap-0123456789abcdef0")


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({}, "volumes[0].gib is missing: a volume without a snapshot has no size of its own. Give a size in GiB."),
        ({"gib": 0}, "volumes[0].gib is 0: 1 to 65536 is possible."),
        ({"gib": 65537}, "volumes[0].gib is 65537: 1 to 65536 is possible."),
        ({"gib": 3, "type": "io2", "iops": 100}, "volumes[0].gib is 3: 4 to 65536 is possible."),
        ({"gib": 10, "iops": 2999}, "volumes[0].iops is 2999: 3000 to 80000 is possible."),
        (
            {"gib": 10, "iops": 6000},
            "volumes[0].iops is 6000: a gp3 volume has up to 500 IOPS per GiB, and this one has 10 GiB. Use at most 5000",
        ),
        ({"gib": 10, "throughput": 1000}, "volumes[0].throughput is 1000: a gp3 volume moves up to 0.25 MiB/s per IOPS"),
        ({"gib": 10, "type": "io2"}, "volumes[0].iops is missing: an io2 volume is paid for by its IOPS"),
        ({"gib": 10, "type": "io2", "iops": 10001}, "volumes[0].iops is 10001: an io2 volume has up to 1000 IOPS per GiB"),
        ({"gib": 400, "type": "io2", "iops": 256001}, "volumes[0].iops is 256001: 100 to 256000 is possible."),
        ({"gib": 10, "type": "io2", "iops": 200, "throughput": 200}, "volumes[0].throughput is 200: only gp3 takes it, and this is io2."),
        ({"gib": 10, "type": "gp9"}, "volumes[0].type is gp9"),
        ({"gib": 10, "device": "/dev/sda1"}, "volumes[0].device is /dev/sda1: a device from /dev/sdb to /dev/sdz belongs here."),
        ({"gib": 10, "device": "nvme1n1"}, "volumes[0].device is nvme1n1: a device from /dev/sdb to /dev/sdz belongs here."),
        ({"snapshot": "vol-1"}, "volumes[0].snapshot is vol-1: a snapshot's id belongs here. Write it like snap-0123456789abcdef0."),
        ({"gib": 10, "kms_key": "mine"}, "volumes[0].kms_key is mine: a KMS key's id, alias/… or ARN belongs here."),
        ({"gib": 10, "size": 1}, "volumes[0].size is not an option"),
    ],
)
def test_what_is_refused_of_a_volume(volume, message):
    assert f"pools[0].{message}" in refused(volumes=[volume])


def test_two_volumes_at_one_device():
    said = refused(volumes=[{"gib": 1, "device": "/dev/sdf"}, {"gib": 1, "device": "/dev/xvdf"}])
    assert "pools[0].volumes[1].device is /dev/sdf: pools[0].volumes[0].device has it already." in said


def test_more_volumes_than_devices_are_chosen_for():
    assert len({one.device for one in read(volumes=[{"gib": 1}] * 11).volumes}) == 11
    assert "pools[0].volumes[11] is missing: 11 devices are chosen for you. Name the device of this one." in refused(
        volumes=[{"gib": 1}] * 12
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"placement": "spread"}, "pools[0].placement is spread"),
        (
            {"existing_placement_group": "g"},
            "existing_placement_group is g: pools[0].placement is none, so no group is used. Set placement: cluster",
        ),
        (
            {"placement": "cluster", "existing_placement_group": "ü"},
            "existing_placement_group is ü: EC2 has names of 1 to 255 printable ASCII",
        ),
        ({"interfaces": 0}, "pools[0].interfaces is 0: 1 or more is possible. Leave it out for one."),
        ({"efa": "perhaps"}, "pools[0].efa is perhaps"),
    ],
)
def test_what_is_refused_of_a_launch(more, message):
    assert message in refused(**more)


def test_a_cluster_is_a_gang():
    assert read(placement="cluster").together and not read().together
    assert read(placement="cluster", existing_placement_group="theirs").existing_placement_group == "theirs"
