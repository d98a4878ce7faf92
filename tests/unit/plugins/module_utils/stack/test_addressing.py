# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.addressing import capacity, divide

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"]


def test_a_large_network():
    public = divide("10.42.0.0/16", ["us-east-1a", "us-east-1b"], private=False)
    assert [tuple(subnet) for subnet in public] == [("us-east-1a", "10.42.0.0/20", True), ("us-east-1b", "10.42.16.0/20", True)]
    both = divide("10.42.0.0/16", ["us-east-1a", "us-east-1b"], private=True)
    assert both[:2] == public
    assert [tuple(subnet) for subnet in both[2:]] == [("us-east-1a", "10.42.128.0/20", False), ("us-east-1b", "10.42.144.0/20", False)]


@pytest.mark.parametrize(
    ("cidr", "public", "private"), [("10.0.0.0/16", 16, 8), ("10.0.0.0/24", 16, 8), ("10.0.0.0/26", 4, 2), ("10.0.0.0/28", 1, 0)]
)
def test_capacity(cidr, public, private):
    assert (capacity(cidr, False), capacity(cidr, True)) == (public, private)


def test_no_room():
    with pytest.raises(ValueError, match="room for 2 zones, not for 3"):
        divide("10.0.0.0/26", ZONES[:3], private=True)


@given(st.sets(st.sampled_from(ZONES), min_size=1), st.sampled_from(ZONES), st.booleans())
def test_another_zone_moves_no_subnet(zones, another, private):
    before, after = divide("10.0.0.0/16", zones, private), divide("10.0.0.0/16", zones | {another}, private)
    assert set(before) <= set(after)


@given(
    st.integers(16, 28),
    st.sets(st.sampled_from([*ZONES, "us-west-2-lax-1a", "us-west-2-lax-1b"]), min_size=1),
    st.booleans(),
)
def test_subnets_lie_apart_inside_the_network(length, zones, private):
    cidr = f"10.128.0.0/{length}"
    if len(zones) > capacity(cidr, private):
        with pytest.raises(ValueError, match="has room"):
            divide(cidr, zones, private)
        return
    subnets = divide(cidr, zones, private)
    ranges = [ipaddress.ip_network(subnet.cidr) for subnet in subnets]
    assert all(one.subnet_of(ipaddress.ip_network(cidr)) and one.prefixlen <= 28 for one in ranges)
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)
    assert sorted(subnet.zone for subnet in subnets if subnet.public) == sorted(zones)
    assert sorted(subnet.zone for subnet in subnets if not subnet.public) == (sorted(zones) if private else [])
