# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether hosts in a subnet that somebody else made have a way to packages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Line, Unknown

CHECK = "way_out"
EVERYWHERE = "0.0.0.0/0"
#: Of a route, in EC2's words; what leads elsewhere is taken to lead on.
_TARGETS = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "LocalGatewayId")
INSIDE = "Hosts get packages from a mirror or proxy inside alone (mlinfra_mirrors, mlinfra_proxy), which cannot be seen from here"


def table_of(tables: Iterable[Mapping[str, Any]], subnet_id: str) -> Optional[Mapping[str, Any]]:
    """The subnet's own route table, else the main one of its VPC."""
    main = None
    for table in tables:
        for one in table.get("Associations") or ():
            if one.get("SubnetId") == subnet_id:
                return table
            if one.get("Main"):
                main = table
    return main


def default_route(table: Optional[Mapping[str, Any]]) -> tuple[str, str]:
    """(what the default route leads to: gateway, elsewhere, blackhole or empty; the id of that)."""
    for route in (table or {}).get("Routes") or ():
        if route.get("DestinationCidrBlock") != EVERYWHERE:
            continue
        target = next((route[word] for word in _TARGETS if route.get(word)), "")
        if route.get("State") == "blackhole":
            return "blackhole", target
        return ("gateway" if target.startswith("igw-") else "elsewhere"), target
    return "", ""


def line(pool: str, tables: Union[Sequence[Mapping[str, Any]], Unknown], subnets: Mapping[str, Optional[bool]]) -> Line:
    """:param subnets: id → whether the pool's hosts get a public address there; None where that is not known."""
    told = Line(CHECK, pool, f"pools.{pool}", "ok", "its subnets have a way out")
    if isinstance(tables, Unknown):
        return told._replace(verdict="unknown", text=f"whether its subnets have a way out is not known: {tables.why}")
    for subnet, public in subnets.items():
        kind, target = default_route(table_of(tables, subnet))
        if kind == "":
            return told._replace(verdict="warning", text=f"{subnet} has no route to {EVERYWHERE}. {INSIDE}")
        if kind == "blackhole":
            text = f"the route of {subnet} to {EVERYWHERE} leads to {target}, which is gone. {INSIDE}"
            return told._replace(verdict="warning", text=text)
        if kind == "gateway" and public is False:
            text = f"{subnet} goes out through {target}, which needs a public address, and hosts get none there. {INSIDE}"
            return told._replace(verdict="warning", text=text)
        if kind == "gateway" and public is None:
            text = f"{subnet} goes out through {target}; whether hosts get public addresses is not known"
            told = told._replace(verdict="unknown", text=text)
    return told


def closed(pool: str, endpoints: Sequence[str]) -> Line:
    """For private subnets of the stack's own that have no NAT gateway."""
    reach = f"they reach only {', '.join(endpoints)}" if endpoints else "they reach nothing outside"
    return Line(CHECK, pool, "network.nat", "warning", f"its subnets are private and network.nat is none: {reach}. {INSIDE}")
