# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a failed launch says of all other offers, by its error code or StateReason. Pure.

Source of the codes: EC2 API reference, "Error codes for the Amazon EC2 API" and StateReason.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import PREPAID, Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.quota import same


class Ruling(NamedTuple):
    """``scope`` of what is ruled out: offer, type_in_zone, zone, quota (market and group of types), market; or stop: no offer would do."""

    scope: str
    why: str


_OFFER = "EC2 has no capacity there now"
_RULINGS = {
    "InsufficientInstanceCapacity": Ruling("offer", _OFFER),
    "InsufficientHostCapacity": Ruling("offer", _OFFER),
    "InsufficientCapacity": Ruling("offer", _OFFER),
    "UnfulfillableCapacity": Ruling("offer", "EC2 has no spare capacity there now"),
    "InsufficientReservedInstanceCapacity": Ruling("offer", "the reservation is used up"),
    "ReservationCapacityExceeded": Ruling("offer", "the reservation is used up"),
    "SpotMaxPriceTooLow": Ruling("offer", "spot costs more there than max_hourly_usd"),
    "Unsupported": Ruling("type_in_zone", "the zone does not have this type"),
    "InvalidFleetConfiguration": Ruling("type_in_zone", "the zone does not have this type"),  # of one offer, inside a fleet's answer
    "InsufficientFreeAddressesInSubnet": Ruling("zone", "the subnet has no free addresses"),
    "VcpuLimitExceeded": Ruling("quota", "the account's vCPU quota is used up"),
    "InstanceLimitExceeded": Ruling("quota", "the account's quota is used up"),
    "MaxSpotInstanceCountExceeded": Ruling("quota", "the account's spot quota is used up"),
    "MaxFleetCountExceeded": Ruling("market", "the account has no fleet left"),
    # accepted, then ended by EC2
    "Server.InsufficientInstanceCapacity": Ruling("offer", _OFFER),
    "Server.InternalError": Ruling("offer", "EC2 could not start it there"),
    "Server.SpotInstanceTermination": Ruling("offer", "spot was taken back there"),
    "Server.SpotInstanceShutdown": Ruling("offer", "spot was taken back there"),
}
STOP = Ruling("stop", "another offer would fail alike")


def ruling(code: str) -> Ruling:
    """What the code says; what is not known stops: a wrong parameter or a missing right is the same in each zone."""
    return _RULINGS.get(code, STOP)


def decided(code: str) -> bool:
    """Whether the code is EC2's word on capacity: many of them have HTTP status 500, yet nothing was launched and nothing is broken."""
    return code in _RULINGS


def rules_out(failed: Offer, scope: str, other: Offer) -> bool:
    """Whether the failure of one offer with this scope makes the other one pointless."""
    if scope == "offer":
        return failed._replace(usd=None) == other._replace(usd=None)
    if scope == "type_in_zone":
        return (failed.instance_type, failed.zone) == (other.instance_type, other.zone)
    if scope == "zone":
        return failed.zone == other.zone
    if scope == "quota":
        # What is prepaid counts against it whether it is used or not, so a launch into it needs no more of it (limits_vcpu.py).
        if failed.market in PREPAID or other.market in PREPAID:
            return rules_out(failed, "offer", other)
        return failed.market == other.market and same(failed.instance_type, other.instance_type, failed.market)
    if scope == "market":
        return failed.market == other.market
    return scope == "stop"
