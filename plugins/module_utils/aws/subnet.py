# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Subnets: one public and, in private networks, one private per zone; or those that the declaration refers to."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import occupants
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import VPC, missing_reference, reference_filters, shown_reference
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.addressing import Subnet as Block
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.addressing import divide
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Network, Reference


class Subnet(Ec2Kind):
    name = "subnet"
    section = "network"
    needs = ("vpc",)
    immutable = ("vpc", "cidr", "zone")

    def observe(self, reader: Reader) -> list[Found]:
        network = reader.stack.network
        if network is not None and network.existing is not None:
            found = self._existing(reader, network.existing.subnets)
            return found + (self._owned(reader) if reader.complete else [])
        return self._owned(reader)

    def _owned(self, reader: Reader) -> list[Found]:
        return [
            self._found(raw, claims(to_dict(raw.get("Tags")), reader.scope, self.name))
            for raw in reader.pages("ec2", "describe_subnets", "Subnets", Filters=reader.filters())
        ]

    def _found(self, raw: dict[str, Any], owned: bool, existing: bool = False) -> Found:
        tags = to_dict(raw.get("Tags"))
        state = {"vpc": raw["VpcId"], "cidr": raw["CidrBlock"], "zone": raw["AvailabilityZone"]}
        name = raw["SubnetId"] if existing else tags.get("mlinfra:name", raw["SubnetId"])
        facts = {"free": raw.get("AvailableIpAddressCount"), "public_addresses": raw.get("MapPublicIpOnLaunch")}
        return Found(self.name, name, raw["SubnetId"], state, tags, owned, existing, facts)

    def _existing(self, reader: Reader, reference: Reference) -> list[Found]:
        listed = reader.pages("ec2", "describe_subnets", "Subnets", Filters=reference_filters("subnet-id", reference))
        missing = set(reference.ids) - {raw["SubnetId"] for raw in listed}
        if missing or not listed:
            lost = Reference(ids=tuple(sorted(missing))) if missing else reference
            raise missing_reference("network.existing.subnets", lost, 0, "subnet", reader.scope.region)
        return [self._found(raw, owned=False, existing=True) for raw in sorted(listed, key=lambda raw: raw["SubnetId"])]

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        network = intent.stack.network
        if network is None:
            return []
        if network.existing is not None:
            check_same_vpc(seen, self.name, "network.existing.subnets", network.existing.subnets)
            return [
                Wish(self.name, found.name, existing=True, path="network.existing.subnets")
                for found in seen.of(self.name)
                if found.existing
            ]
        wishes = []
        for block in blocks(network, seen):
            name = subnet_name(block)
            state = {"vpc": VPC, "cidr": block.cidr, "zone": block.zone}
            wishes.append(
                Wish(self.name, name, state, owner_tags(intent.scope, self.name, name, label(intent.scope, name)), path="network")
            )
        return wishes

    def create(self, act: Any, change: Change) -> str:
        state = act.resolved(change.wish.state)
        answer = act.call(
            "ec2",
            "create_subnet",
            VpcId=state["vpc"],
            CidrBlock=state["cidr"],
            AvailabilityZone=state["zone"],
            TagSpecifications=[specification("subnet", change.wish.tags)],
        )
        return answer["Subnet"]["SubnetId"]

    def update(self, act: Any, change: Change) -> None:
        self.retag(act, change)

    def leaves(self, found: Found) -> str:
        users = occupants.told(found)
        return f"{users} in it is not of this stack: it cannot be deleted before that is gone" if users else ""

    def delete(self, act: Any, change: Change) -> None:
        """:raises StackError: it has something of others in it; nothing is waited for then."""
        users = occupants.told(change.found)
        if users and occupants.still(act.reader, change.found):
            hint = "Remove that and run again: all that has to go before the network is gone"
            raise StackError(f"subnet {change.name} ({change.id}) is used by {users}, which is not of this stack", hint)
        act.call("ec2", "delete_subnet", SubnetId=change.id)


def subnet_name(block: Block) -> str:
    return f"{'public' if block.public else 'private'}-{block.zone}"


def zones_of(network: Network, seen: Observed) -> list[str]:
    """The zones of an owned network: those named, or those that have subnets already and then further available ones.

    :raises StackError: the region has not enough zones, or not the ones named.
    """
    if network.zone_names:
        unknown = [zone for zone in network.zone_names if seen.zones and zone not in seen.zones]
        if unknown:
            raise StackError(
                f"network.zone_names has {', '.join(unknown)}: {seen.region} has {', '.join(seen.zones)}",
                "Use those",
                path="network.zone_names",
            )
        return sorted(network.zone_names)
    count = network.zone_count or 1
    used = sorted({found.state["zone"] for found in seen.of("subnet") if found.owned and found.name.startswith("public-")})
    zones = used[:count] + [zone for zone in sorted(seen.zones) if zone not in used][: max(0, count - len(used))]
    if len(zones) < count and seen.zones:
        raise StackError(
            f"network.zone_count is {count}: {seen.region} has {len(seen.zones)} zones for this account ({', '.join(seen.zones)})",
            f"Use {len(seen.zones)} or fewer",
            path="network.zone_count",
        )
    return sorted(zones)


def zones_unknown(network: Optional[Network], seen: Observed) -> bool:
    """Whether the available zones have to be read before the subnets can be planned."""
    if network is None or network.existing is not None:
        return False
    used = {found.state["zone"] for found in seen.of("subnet") if found.owned and found.name.startswith("public-")}
    return bool(set(network.zone_names) - used) if network.zone_names else len(used) < (network.zone_count or 1)


def blocks(network: Network, seen: Observed) -> tuple[Block, ...]:
    """The subnets that the network wants, by zone."""
    zones = zones_of(network, seen)
    return divide(network.cidr, zones, network.private) if zones else ()


def check_same_vpc(seen: Observed, kind: str, path: str, reference: Reference) -> None:
    """:raises StackError: something referred to is in another VPC than the one referred to."""
    vpc = seen.id(VPC)
    for found in seen.of(kind):
        if found.existing and vpc and found.state["vpc"] != vpc:
            raise StackError(
                f"{path} is {shown_reference(reference)}: {found.id} is in {found.state['vpc']}, not in {vpc} of network.existing.vpc",
                "Refer to one VPC and what is in it",
                path=path,
            )


def subnet_ref(zone: str, private: bool) -> Ref:
    return Ref("subnet", f"{'private' if private else 'public'}-{zone}")
