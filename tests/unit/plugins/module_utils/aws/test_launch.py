# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots, launches and their tokens."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch, placing
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, ImageFacts, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Access, Disk, Image, Pool, Scope

SCOPE = Scope("123456789012", "us-east-1", "vision", "dev")
POOL = Pool("train", 3, ("g5.xlarge",), Image(id="ami-1"), disk=Disk(200, iops=6000), user_data="#!/bin/sh\n")
OFFER = Offer("g5.xlarge", "a", "on_demand")
IDS = {
    Ref("subnet", "a"): "subnet-1",
    Ref("security_group", "hosts"): "sg-1",
    Ref("key_pair", "k"): "k",
    Ref("instance_profile", "hosts"): "p",
}


def _change(slot: int, subnet: str = "a", pool: Pool = POOL) -> Change:
    make = {"pool": pool, "slot": slot, "image": ImageFacts("ami-1", root_device="/dev/sda1")}
    make.update(offers=(Offer("g5.xlarge", subnet, "on_demand"),), subnets={zone: Ref("subnet", zone) for zone in "ab"})
    make.update(
        groups=[Ref("security_group", "hosts")], public_address=True, key=Ref("key_pair", "k"), profile=Ref("instance_profile", "hosts")
    )
    state = {"instance_type": "g5.xlarge", "image_id": "ami-1", "hop_limit": 2}
    return Change("instance", f"train-{slot}", "create", wish=Wish("instance", f"train-{slot}", state, {"mlinfra:kind": "instance"}, make))


@pytest.mark.parametrize(("slots", "text"), [([0, 1, 2, 5], "0-2,5"), ([7], "7"), ([], ""), ([3, 1], "1,3"), (list(range(12)), "0-11")])
def test_slots_as_text_and_back(slots, text):
    assert placing.slots_text(slots) == text
    assert placing.slots_of(text) == sorted(slots)


@pytest.mark.parametrize("text", ["x", "1-", "-1", "1,,2", "0-99999999"])
def test_text_that_is_no_slots(text):
    assert placing.slots_of(text) == []


def test_one_request_for_all_that_go_to_one_place():
    made = launch.batches([_change(2), _change(0), _change(1, "b")])
    assert [[change.name for change in batch] for batch in made] == [["train-0", "train-2"], ["train-1"]]


def test_the_request():
    params = launch.request([_change(0), _change(2)], OFFER, 1, IDS.get)
    assert (params["MinCount"], params["MaxCount"], params["KeyName"], params["IamInstanceProfile"]) == (1, 2, "k", {"Name": "p"})
    assert params["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
        "HttpEndpoint": "enabled",
        "InstanceMetadataTags": "disabled",
    }
    assert params["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sda1"
    assert params["BlockDeviceMappings"][0]["Ebs"] == {
        "VolumeSize": 200,
        "VolumeType": "gp3",
        "Encrypted": True,
        "DeleteOnTermination": True,
        "Iops": 6000,
    }
    assert params["NetworkInterfaces"][0]["SubnetId"] == "subnet-1" and params["NetworkInterfaces"][0]["Groups"] == ["sg-1"]
    assert [one["ResourceType"] for one in params["TagSpecifications"]] == ["instance", "volume", "network-interface"]
    assert {"Key": "mlinfra:slots", "Value": "0,2"} in params["TagSpecifications"][0]["Tags"]


@pytest.mark.parametrize(
    ("offer", "pool", "expected"),
    [
        (OFFER, POOL, {}),
        (
            OFFER._replace(market="spot"),
            dataclasses.replace(POOL, max_hourly_usd=0.5),
            {
                "InstanceMarketOptions": {
                    "MarketType": "spot",
                    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate", "MaxPrice": "0.5"},
                }
            },
        ),
        (
            OFFER._replace(market="reservation", reservation="cr-1"),
            POOL,
            {"CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}},
        ),
        (
            OFFER._replace(market="capacity_block", reservation="cr-2"),
            POOL,
            {
                "CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-2"}},
                "InstanceMarketOptions": {"MarketType": "capacity-block"},
            },
        ),
    ],
)
def test_how_an_offer_is_paid_for(offer, pool, expected):
    params = launch.request([_change(0, pool=pool)], offer, 1, IDS.get)
    words = ("InstanceMarketOptions", "CapacityReservationSpecification")
    assert {word: params[word] for word in words if word in params} == expected


def test_the_token_is_the_same_for_the_same_launch_only():
    params = launch.request([_change(0)], OFFER, 1, IDS.get)

    def token(slots=(0,), ended=(), request=None, scope=SCOPE):
        return launch.token(scope, "123456789012", "train", list(slots), ended, request or params)

    assert token() == token() and len(token()) <= 64
    assert token(ended=["i-2", "i-1"]) == token(ended=["i-1", "i-2"])
    assert token().startswith(token_prefix(SCOPE, "123456789012"))
    other = Scope("123456789012", "us-east-1", "vision", "prod")
    assert len({token(), token(slots=[1]), token(ended=["i-1"]), token(request={**params, "ImageId": "ami-2"}), token(scope=other)}) == 5


@pytest.mark.parametrize(
    ("access", "pool", "expected"),
    [
        (Access(), "train", {"mlinfra:access": "direct"}),
        (Access("bastion", bastion_pool="gate"), "train", {"mlinfra:access": "bastion", "mlinfra:bastion": "gate"}),
        (Access("bastion", bastion_pool="gate"), "gate", {"mlinfra:access": "direct"}),
        (Access("bastion", bastion_host="b", bastion_user="ops"), "train", {"mlinfra:access": "bastion", "mlinfra:bastion": "ops@b"}),
        (Access("bastion", bastion_host="b"), "train", {"mlinfra:access": "bastion", "mlinfra:bastion": "b"}),
    ],
)
def test_how_hosts_are_reached_is_in_their_tags(access, pool, expected):
    tags = launch.access_tags(access, Pool(pool, 1, ("t3.micro",), Image(id="ami-1")))
    assert tags == {"mlinfra:pool": pool, "mlinfra:ssh-user": "admin", **expected}


@pytest.mark.parametrize(
    ("tags", "slot"),
    [
        ({"mlinfra:slots": "4-6"}, 5),
        ({"mlinfra:slots": "4-6", "mlinfra:slot": "9"}, 9),
        ({"mlinfra:slot": "0"}, 0),
        ({"mlinfra:slots": "4"}, None),
        ({"mlinfra:slot": "-1"}, None),
        ({}, None),
    ],
)
def test_the_slot_of_an_instance(tags, slot):
    assert placing.slot_of(tags, 1) == slot
