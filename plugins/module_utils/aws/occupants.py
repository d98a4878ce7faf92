# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What somebody else has in the subnets of a stack that is to be removed: EC2 deletes no subnet with a network interface in it.

A removal ends the instances first, since they cost the most, and would find out last that a subnet has to stay.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import DENIED
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Observed

USERS = "users"
_SHOWN = 3
_SUBNETS = 200  # as many values as a filter takes


def look(reader: Reader, seen: Observed, subnets: list[Found]) -> None:
    """Note on each of the subnets what of others is in it. One request; not allowed to ask, nothing is known of them."""
    by_id, own = {found.id: found for found in subnets}, _own(seen)
    for raw in _interfaces(reader, sorted(by_id)):
        if not _ours(raw, own):
            by_id[raw["SubnetId"]].facts.setdefault(USERS, []).append(_named(raw))


def told(found: Found) -> str:
    """Who uses a subnet, or nothing."""
    users = found.facts.get(USERS, [])
    more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    return f"{', '.join(sorted(users)[:_SHOWN])}{more}" if users else ""


def still(reader: Reader, found: Found) -> bool:
    """Whether one of those that were noted is in the subnet yet."""
    return bool({_named(raw) for raw in _interfaces(reader, [found.id])} & set(found.facts.get(USERS, [])))


def _interfaces(reader: Reader, ids: list[str]) -> Iterable[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    for start in range(0, len(ids), _SUBNETS):
        filters = [{"Name": "subnet-id", "Values": ids[start : start + _SUBNETS]}]
        listed += unless(
            DENIED,
            lambda filters=filters: reader.pages("ec2", "describe_network_interfaces", "NetworkInterfaces", Filters=filters),
            [],
        )
    return listed


def _own(seen: Observed) -> set[str]:
    """Ids of instances and interfaces that the removal ends itself, or that end already."""
    listed = [found for kind in ("instance", "nat_gateway", "endpoint") for found in seen.of(kind)]
    listed = [found for found in listed if found.owned or "ended" in found.facts]
    return {found.id for found in listed} | {one for found in listed for one in found.facts.get("interfaces", [])}


def _ours(raw: Mapping[str, Any], own: Collection[str]) -> bool:
    """EC2 names a gateway in the description of its interfaces, which are not always listed with the gateway."""
    words = raw.get("Description", "").split()
    return any(one in own for one in (raw["NetworkInterfaceId"], raw.get("Attachment", {}).get("InstanceId"), *words))


def _named(raw: Mapping[str, Any]) -> str:
    instance, interface = raw.get("Attachment", {}).get("InstanceId"), raw["NetworkInterfaceId"]
    about = raw.get("Description") or raw.get("InterfaceType") or ""
    if instance:
        return f"instance {instance} ({interface})"
    return f"network interface {interface}" + (f" ({about})" if about else "")
