# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The words of capacity: markets, one offer, and why something is none."""

from __future__ import annotations

from typing import NamedTuple, Optional

#: In the order in which a pool that names none of them would want them: what is paid for already, then what is cheapest.
MARKETS = ("reservation", "capacity_block", "spot", "on_demand")
#: Paid for whether it is used or not; launches name the reservation.
PREPAID = ("reservation", "capacity_block")


class Reservation(NamedTuple):
    """A Capacity Reservation or Capacity Block of the account, as DescribeCapacityReservations has it.

    ``ends``: ISO 8601, None for never. ``unfit``: why nothing here can be launched into it.
    """

    id: str
    instance_type: str
    zone: str
    market: str  # reservation | capacity_block
    available: int  # instances that still fit into it
    ends: Optional[str] = None
    state: str = "active"
    unfit: str = ""


class Offer(NamedTuple):
    """One way to get an instance. ``usd`` is an hour of one instance, None where no price is known; 0 for what is paid for already."""

    instance_type: str
    zone: str
    market: str
    usd: Optional[float] = None
    reservation: Optional[str] = None
    available: Optional[int] = None  # instances of the reservation; None: nobody says
    ends: Optional[str] = None


class Rejected(NamedTuple):
    """Why a type, in a zone and market where these are what decides, is no offer."""

    instance_type: str
    zone: Optional[str]
    market: Optional[str]
    reason: str


def public(offer: Offer) -> dict[str, object]:
    """An offer as modules return it."""
    told = offer._asdict()
    told["usd_per_hour"] = told.pop("usd")
    return told
