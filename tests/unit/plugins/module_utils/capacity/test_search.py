# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed launch says of the offers that are left."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.quota import group, quota
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.search import Search

A, B = "us-east-1a", "us-east-1b"
SPOT_A, SPOT_B = Offer("g6.xlarge", A, "spot", 0.3), Offer("g6.xlarge", B, "spot", 0.4)
G5_SPOT = Offer("g5.xlarge", A, "spot", 0.5)
P5_SPOT = Offer("p5.48xlarge", A, "spot", 20.0)
MINE = Offer("g6.xlarge", A, "reservation", 0.0, "cr-1")
OTHER = Offer("g6.xlarge", A, "reservation", 0.0, "cr-2")
BLOCK = Offer("g6.xlarge", A, "capacity_block", 0.0, "cr-3")
G6, G5 = Offer("g6.xlarge", A, "on_demand", 0.8), Offer("g5.xlarge", B, "on_demand", 1.0)
ALL = [MINE, OTHER, BLOCK, SPOT_A, SPOT_B, G5_SPOT, P5_SPOT, G6, G5]


@pytest.mark.parametrize(
    ("failed", "code", "out"),
    [
        (SPOT_A, "InsufficientInstanceCapacity", [SPOT_A]),
        (SPOT_A, "Server.SpotInstanceTermination", [SPOT_A]),
        (MINE, "ReservationCapacityExceeded", [MINE]),
        (G6, "Unsupported", [MINE, OTHER, BLOCK, SPOT_A, G6]),
        (SPOT_A, "InvalidFleetConfiguration", [MINE, OTHER, BLOCK, SPOT_A, G6]),
        (G6, "InsufficientFreeAddressesInSubnet", [MINE, OTHER, BLOCK, SPOT_A, G5_SPOT, P5_SPOT, G6]),
        (SPOT_A, "MaxSpotInstanceCountExceeded", [SPOT_A, SPOT_B, G5_SPOT]),
        (G6, "VcpuLimitExceeded", [G6, G5]),
        (MINE, "VcpuLimitExceeded", [MINE]),
        (BLOCK, "InstanceLimitExceeded", [BLOCK]),
        (SPOT_A, "MaxFleetCountExceeded", [SPOT_A, SPOT_B, G5_SPOT, P5_SPOT]),
    ],
)
def test_what_a_code_rules_out(failed, code, out):
    search = Search()
    assert search.failed(failed, code, "words", "req-1").scope != "stop"
    assert [one for one in ALL if one not in search.left(ALL)] == out
    assert all(search.against(one) for one in out)
    assert search.tried[0].public()["code"] == code and search.tried[0].public()["request_id"] == "req-1"


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "UnauthorizedOperation", "Client.InternalError", "VolumeLimitExceeded", ""])
def test_what_would_fail_everywhere_stops_at_once(code):
    search = Search()
    assert search.failed(G6, code).scope == "stop"
    assert search.left(ALL) == ALL


def test_what_one_pool_found_out_counts_for_the_next():
    search = Search()
    search.failed(SPOT_A, "InsufficientInstanceCapacity")
    search.failed(G5, "VcpuLimitExceeded")
    search.taken(BLOCK, "req-2")
    assert search.left(ALL) == [MINE, OTHER, BLOCK, SPOT_B, G5_SPOT, P5_SPOT]
    assert [(one.offer, one.code) for one in search.tried] == [
        (SPOT_A, "InsufficientInstanceCapacity"),
        (G5, "VcpuLimitExceeded"),
        (BLOCK, None),
    ]


def test_a_price_that_moved_is_still_the_same_offer():
    search = Search()
    search.failed(SPOT_A, "InsufficientInstanceCapacity")
    assert search.left([SPOT_A._replace(usd=0.31)]) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("g6e.xlarge", "G and VT"), ("gr6.4xlarge", "G and VT"), ("p5en.48xlarge", "P"), ("t3.large", "Standard"), ("c7i.large", "Standard"),
     ("im4gn.large", "Standard"), ("trn1.2xlarge", "trn"), ("inf2.xlarge", "inf"), ("dl1.24xlarge", "dl"), ("hpc7g.4xlarge", "hpc"),
     ("mac2.metal", "mac")],
)  # fmt: skip
def test_groups_of_types(name, expected):
    assert group(name) == expected


def test_quotas_by_market():
    assert quota("p5.48xlarge", "on_demand").code == quota("p5.48xlarge", "reservation").code == "L-417A185B"
    assert quota("g6.xlarge", "spot").code == "L-3819A6DF"
    assert quota("p5.48xlarge", "capacity_block") is None and quota("trn1.2xlarge", "spot") is None


def test_what_is_said_of_a_request_as_a_whole_rules_nothing_out():
    search, offer = Search(), Offer("g5.xlarge", "us-east-1a", "spot")
    search.noted(offer, "InsufficientInstanceCapacity", "none", "r-1")
    assert search.tried[0].public()["code"] == "InsufficientInstanceCapacity" and search.tried[0].request_id == "r-1"
    assert search.against(offer) is None
