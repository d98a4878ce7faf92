# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the subnets have as many free addresses as a launch takes. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Line, Need
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer

CHECK = "addresses"
RESERVED = 5  # of each subnet (Amazon VPC user guide, "Subnet CIDR blocks")


def planned(cidr: str) -> int:
    """Addresses for hosts in a subnet that is not made yet."""
    return ipaddress.ip_network(cidr).num_addresses - RESERVED


def against(offer: Offer, need: Need, free: Mapping[str, Optional[int]]) -> str:
    """Why an offer's zone has no room for it; empty when it has, or nobody knows. ``free``: zone → addresses."""
    there = free.get(offer.zone)
    if there is None or there >= need.at_once * need.addresses:
        return ""
    return f"the subnet in {offer.zone} has {there} free addresses, and {need.at_once * need.addresses} are needed there"


def most(need: Need, free: Mapping[str, Optional[int]]) -> Optional[int]:
    """How many of the pool's instances the subnets of its offers take; None where one of them is not known."""
    zones = {offer.zone for offer in need.offers}
    counts = [free.get(zone) for zone in zones]
    if None in counts:
        return None
    fitting = [count // need.addresses for count in counts if count // need.addresses >= need.at_once]
    return max(fitting, default=0) if need.together else sum(fitting)


def line(need: Need, free: Mapping[str, Optional[int]], refused: bool) -> Line:
    """:param refused: whether the pool cannot be had at all."""
    zones = sorted({offer.zone for offer in need.offers})
    known = {zone: free.get(zone) for zone in zones}
    needed = need.count * need.addresses
    told = Line(CHECK, need.pool, need.path, "unknown", "how many addresses its subnets have free is not known", needed)
    if None in known.values():
        return told
    counts = {zone: count for zone, count in known.items() if count is not None}
    there = max(counts.values(), default=0) if need.together else sum(counts.values())
    where = ", ".join(f"{count} in {zone}" for zone, count in counts.items())
    place = " in one zone" if need.together else ""
    told = told._replace(allowed=there, text=f"it takes {needed} addresses{place}; free are {where}")
    full = [zone for zone, count in counts.items() if count < need.at_once * need.addresses]
    if there >= needed:
        more = f"; {', '.join(full)} falls out" if full and len(full) < len(zones) else ""
        return told._replace(verdict="ok", text=told.text + more)
    hint = "Use a larger subnet, add one in another zone, or release addresses"
    what = "" if refused else "; not all of them fit"
    return told._replace(verdict="refused" if refused else "warning", text=f"{told.text}{what}. {hint}")
