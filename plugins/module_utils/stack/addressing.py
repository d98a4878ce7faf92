# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""How a network's range is divided into subnets."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

LARGEST, SMALLEST = 16, 28  # prefix lengths that AWS takes for VPCs and subnets (Amazon VPC user guide, VPC CIDR blocks)
_BLOCKS = 16  # per network where they fit: 8 zones with a public and a private subnet each


class Subnet(NamedTuple):
    zone: str
    cidr: str
    public: bool


def capacity(cidr: str, private: bool) -> int:
    """How many zones the range has room for."""
    blocks = len(_blocks(cidr))
    return blocks // 2 if private else blocks


def divide(cidr: str, zones: Iterable[str], private: bool) -> tuple[Subnet, ...]:
    """One public subnet per zone and, when ``private``, one private subnet too, public ones first, zones in order of their names.

    A zone's subnets depend on its letter, so adding or removing a zone moves no other. Zones whose letter has no room of its own take what
    is left, in order. Public subnets fill the lower half, private ones the upper. Raises ValueError if there is no room.
    """
    zones = sorted(set(zones))
    blocks = _blocks(cidr)
    room = capacity(cidr, private)
    if len(zones) > room:
        raise ValueError(f"{cidr} has room for {room} zones, not for {len(zones)}")
    slots = _slots(zones, room)
    subnets = [Subnet(zone, blocks[slots[zone]], True) for zone in zones]
    if private:
        half = len(blocks) // 2
        subnets += [Subnet(zone, blocks[half + slots[zone]], False) for zone in zones]
    return tuple(subnets)


def _blocks(cidr: str) -> list[str]:
    network = ipaddress.ip_network(cidr)
    bits = max(0, min(_BLOCKS.bit_length() - 1, SMALLEST - network.prefixlen))
    return [str(block) for block in network.subnets(prefixlen_diff=bits)]


def _slots(zones: list[str], room: int) -> dict[str, int]:
    slots: dict[str, int] = {}
    rest = []
    for zone in zones:
        own = ord(zone[-1:] or "?") - ord("a")
        if 0 <= own < room and own not in slots.values():
            slots[zone] = own
        else:
            rest.append(zone)
    free = (slot for slot in range(room) if slot not in slots.values())
    for zone, slot in zip(rest, list(free)):
        slots[zone] = slot
    return slots
