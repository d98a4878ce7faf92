# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a region offers of some types: their zones, spot prices and the account's reservations, read at the same time."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import PREPAID, Reservation
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import CapacityWish, Market, misfit
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES

#: The region of the table's prices. Elsewhere what On-Demand costs is not known here, and said so.
PRICED = "us-east-1"
_PLATFORM = "Linux/UNIX"
#: EC2 begins so long before a block's EndDate to end the instances in it. Source: Amazon EC2 user guide, "How Capacity Blocks work".
_ENDING = datetime.timedelta(minutes=30)
_VALUES = 200  # as many as a filter takes


def candidates(wish: CapacityWish) -> list[str]:
    """The types that are worth asking for."""
    names = dict.fromkeys([*GPU_TYPES, *wish.instance_types])
    return [name for name in names if not misfit(name, GPU_TYPES.get(name), wish)]


def read(ec2: Any, region: str, names: list[str], markets: Iterable[str]) -> Market:
    """At most three requests, plus their further pages; none without types to ask for. All of ``names`` are in the answer's zones."""
    if not names:
        return Market({}, {})
    calls: list[Callable[[], Any]] = [lambda: _zones(ec2, names)]
    calls.append(lambda: _spot(ec2, names) if "spot" in markets else {})
    calls.append(lambda: _reservations(ec2, names) if set(PREPAID) & set(markets) else [])
    with ThreadPoolExecutor(len(calls)) as pool:
        zones, prices, reservations = (future.result() for future in [pool.submit(call) for call in calls])
    if region == PRICED:
        prices.update({(name, "on_demand", None): GPU_TYPES[name].usd_per_hour for name in names if _priced(name)})
    return Market(zones, prices, reservations)


def _priced(name: str) -> bool:
    return name in GPU_TYPES and GPU_TYPES[name].usd_per_hour is not None


def _pages(ec2: Any, operation: str, result: str, **params: Any) -> list[dict[str, Any]]:
    return list(ec2.get_paginator(operation).paginate(**params).search(f"{result}[]"))


def _zones(ec2: Any, names: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in names}
    for start in range(0, len(names), _VALUES):
        filters = [{"Name": "instance-type", "Values": names[start : start + _VALUES]}]
        params = {"LocationType": "availability-zone", "Filters": filters}
        for one in _pages(ec2, "describe_instance_type_offerings", "InstanceTypeOfferings", **params):
            found.setdefault(one["InstanceType"], []).append(one["Location"])
    return found


def _spot(ec2: Any, names: list[str]) -> dict[tuple[str, str, Optional[str]], float]:
    """The newest price of each type and zone: EC2 gives the ones in force when start and end are now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    params = {"InstanceTypes": names, "ProductDescriptions": [_PLATFORM], "StartTime": now, "EndTime": now}
    newest: dict[tuple[str, str, Optional[str]], dict[str, Any]] = {}
    for one in _pages(ec2, "describe_spot_price_history", "SpotPriceHistory", **params):
        key = (one["InstanceType"], "spot", one["AvailabilityZone"])
        if key not in newest or one["Timestamp"] > newest[key]["Timestamp"]:
            newest[key] = one
    return {key: float(one["SpotPrice"]) for key, one in newest.items()}


def _reservations(ec2: Any, names: list[str]) -> list[Reservation]:
    filters = [{"Name": "instance-type", "Values": names[:_VALUES]}, {"Name": "state", "Values": ["active"]}]
    return [_reservation(one) for one in _pages(ec2, "describe_capacity_reservations", "CapacityReservations", Filters=filters)]


def _reservation(raw: dict[str, Any]) -> Reservation:
    block = raw.get("ReservationType") == "capacity-block"
    ends = raw.get("EndDate")
    if ends is not None and block:
        ends -= _ENDING
    over = block and ends is not None and ends <= datetime.datetime.now(datetime.timezone.utc)
    return Reservation(
        raw["CapacityReservationId"],
        raw["InstanceType"],
        raw["AvailabilityZone"],
        "capacity_block" if block else "reservation",
        int(raw["AvailableInstanceCount"]),
        ends.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if ends is not None else None,
        raw["State"],
        unfit(raw) or (f"ends: EC2 ends what runs in it since {ends:%Y-%m-%dT%H:%M:%SZ}" if over else ""),
    )


def unfit(raw: dict[str, Any]) -> str:
    """Why a reservation takes nothing that is launched here: hosts are Linux, on shared hardware, in placement groups of the stack.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-reservations-create.html
    """
    platform, tenancy = raw.get("InstancePlatform") or _PLATFORM, raw.get("Tenancy") or "default"
    if platform != _PLATFORM:
        return f"is for {platform}, and hosts are {_PLATFORM}"
    if tenancy != "default":
        return f"has tenancy {tenancy}, and hosts have default"
    if raw.get("PlacementGroupArn"):
        return f"is for {raw['PlacementGroupArn'].rpartition(':')[2]} alone"
    return ""
