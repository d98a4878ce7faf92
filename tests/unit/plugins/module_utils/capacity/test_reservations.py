# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the account's reservations a launch can use."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import reading
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import CapacityWish, Market, offers

A = "us-east-1a"
WISH = CapacityWish(instance_types=("g5.xlarge",), markets=("reservation", "capacity_block"))


def raw(name, **more):
    words = {"CapacityReservationId": name, "InstanceType": "g5.xlarge", "AvailabilityZone": A, "State": "active", **more}
    return {"InstancePlatform": "Linux/UNIX", "Tenancy": "default", "AvailableInstanceCount": 2, **words}


class Ec2:
    def __init__(self, *raws):
        self.answers = {"describe_capacity_reservations": list(raws)}
        self.answers["describe_instance_type_offerings"] = [{"InstanceType": "g5.xlarge", "Location": A}]

    def get_paginator(self, operation):
        answers = self.answers[operation]

        class Pages:
            def paginate(self, **_params):
                return self

            def search(self, _expression):
                return answers

        return Pages()


def offered(*raws):
    """(ids of the reservations that are offers, reasons of the others)."""
    market: Market = reading.read(Ec2(*raws), "us-east-1", ["g5.xlarge"], WISH.markets)
    found, rejected = offers(WISH, market)
    return [one.reservation for one in found], [one.reason for one in rejected if one.market == "reservation"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"InstancePlatform": "Windows"}, "cr-1 is for Windows, and hosts are Linux/UNIX"),
        ({"InstancePlatform": "Red Hat Enterprise Linux"}, "cr-1 is for Red Hat Enterprise Linux, and hosts are Linux/UNIX"),
        ({"Tenancy": "dedicated"}, "cr-1 has tenancy dedicated, and hosts have default"),
        (
            {"PlacementGroupArn": "arn:aws:ec2:us-east-1:123456789012:placement-group/theirs"},
            "cr-1 is for placement-group/theirs alone",
        ),
    ],
)
def test_one_that_takes_no_host_is_no_offer_and_says_why(more, why):
    assert offered(raw("cr-1", **more)) == ([], [why])
    assert offered(raw("cr-1", **more), raw("cr-2")) == (["cr-2"], [why])
    assert offered(raw("cr-1", **more), raw("cr-2", AvailableInstanceCount=0)) == ([], [why, "cr-2 is used up"])


def test_one_of_which_ec2_says_less_is_an_offer():
    plain = raw("cr-1")
    del plain["InstancePlatform"], plain["Tenancy"]
    assert offered(plain) == (["cr-1"], [])


def block(minutes):
    """One that ends so many minutes from now, which is on its way for a second or two when it is read."""
    ends = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(minutes=minutes)
    return ends, raw("cr-1", ReservationType="capacity-block", EndDate=ends)


def test_a_block_ends_for_its_instances_half_an_hour_sooner():
    ends, one = block(60)
    found, _rejected = offers(WISH, reading.read(Ec2(one), "us-east-1", ["g5.xlarge"], WISH.markets))
    assert [offer.ends for offer in found] == [f"{ends - datetime.timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"]


@pytest.mark.parametrize("minutes", [29, -5])
def test_a_block_whose_instances_ec2_ends_already_is_no_offer(minutes):
    _ends, one = block(minutes)
    found, rejected = offers(WISH, reading.read(Ec2(one), "us-east-1", ["g5.xlarge"], WISH.markets))
    assert found == [] and [one.reason for one in rejected if one.market == "capacity_block"][0].startswith("cr-1 ends: EC2 ends what")


def test_a_reservation_with_an_end_is_there_until_then():
    ends = datetime.datetime(2099, 1, 31, 11, 30, tzinfo=datetime.UTC)
    found, _rejected = offers(WISH, reading.read(Ec2(raw("cr-1", EndDate=ends)), "us-east-1", ["g5.xlarge"], WISH.markets))
    assert [offer.ends for offer in found] == ["2099-01-31T11:30:00Z"]
