# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Route tables: ``public`` leads to the internet gateway, the private ones to a NAT gateway or nowhere.

Routes that others add (peering, VPN) stay: only the default route and the associations are compared.
"""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.gateway import GATEWAY
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import blocks, subnet_name, zones_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import VPC
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Network

EVERYWHERE = "0.0.0.0/0"
PUBLIC = "public"


class RouteTable(Ec2Kind):
    name = "route_table"
    section = "network"
    needs = ("vpc", "subnet", "internet_gateway", "nat_gateway")
    immutable = ("vpc",)

    def observe(self, reader: Reader) -> list[Found]:
        found = []
        for raw in reader.pages("ec2", "describe_route_tables", "RouteTables", Filters=reader.filters()):
            tags = to_dict(raw.get("Tags"))
            associations = {one["SubnetId"]: one["RouteTableAssociationId"] for one in raw.get("Associations", []) if one.get("SubnetId")}
            state = {"vpc": raw["VpcId"], "default_route": _default_route(raw.get("Routes", [])), "subnets": sorted(associations)}
            owned = claims(tags, reader.scope, self.name)
            name = tags.get("mlinfra:name", raw["RouteTableId"])
            found.append(Found(self.name, name, raw["RouteTableId"], state, tags, owned, facts={"associations": associations}))
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        network = intent.stack.network
        if network is None or network.existing is not None:
            return []
        subnets = blocks(network, seen)
        declared = {subnet_name(one) for one in subnets}
        kept = [found.id for found in seen.of("subnet") if found.owned and found.name not in declared and not intent.prune]
        wishes = [self._wish(intent, PUBLIC, GATEWAY, [Ref("subnet", subnet_name(one)) for one in subnets if one.public])]
        for name, zones in private_tables(network, seen).items():
            target = (
                Ref("nat_gateway", nat_zones(network, seen)[0] if network.nat == "one" else zones[0]) if network.nat != "none" else None
            )
            members = [Ref("subnet", subnet_name(one)) for one in subnets if not one.public and one.zone in zones]
            wish = self._wish(intent, name, target, members)
            if target is None and not intent.prune:
                del wish.state["default_route"]  # a NAT gateway that is no longer declared stays until prune, and so does its route
            wishes.append(wish)
        for wish in wishes:  # a zone that is no longer declared keeps its subnets until prune, and they their routes
            found = seen.get(self.name, wish.name)
            wish.state["subnets"] += [subnet for subnet in found.state["subnets"] if subnet in kept] if found else []
        return wishes

    def _wish(self, intent: Intent, name: str, target: Optional[Ref], subnets: list[Ref]) -> Wish:
        state = {"vpc": VPC, "default_route": target, "subnets": subnets}
        return Wish(self.name, name, state, owner_tags(intent.scope, self.name, name, label(intent.scope, name)), path="network")

    def create(self, act: Any, change: Change) -> str:
        answer = act.call(
            "ec2", "create_route_table", VpcId=act.id(VPC), TagSpecifications=[specification("route-table", change.wish.tags)]
        )
        table_id = answer["RouteTable"]["RouteTableId"]
        act.made.add(self.name)
        state = act.resolved(change.wish.state)
        if state.get("default_route"):
            self._route(act, "create_route", table_id, state["default_route"])
        for subnet_id in state["subnets"]:
            act.call("ec2", "associate_route_table", RouteTableId=table_id, SubnetId=subnet_id)
        return table_id

    def update(self, act: Any, change: Change) -> None:
        state = act.resolved(change.wish.state)
        if "default_route" in change.fields:
            there = change.found.state["default_route"]
            if not state["default_route"]:
                act.call("ec2", "delete_route", RouteTableId=change.id, DestinationCidrBlock=EVERYWHERE)
            else:
                self._route(act, "replace_route" if there else "create_route", change.id, state["default_route"])
        if "subnets" in change.fields:
            associations = change.found.facts["associations"]
            for subnet_id in state["subnets"]:
                if subnet_id not in associations:
                    self._associate(act, change.id, subnet_id)
            for subnet_id, association in associations.items():
                if subnet_id not in state["subnets"]:
                    act.call("ec2", "disassociate_route_table", AssociationId=association)
        self.retag(act, change)

    @staticmethod
    def _route(act: Any, operation: str, table_id: str, target: str) -> None:
        key = "NatGatewayId" if target.startswith("nat-") else "GatewayId"
        act.call("ec2", operation, RouteTableId=table_id, DestinationCidrBlock=EVERYWHERE, **{key: target})

    @staticmethod
    def _associate(act: Any, table_id: str, subnet_id: str) -> None:
        """Move the subnet to this table when another one has it, so that it is never without."""
        for other in act.seen.of("route_table"):
            if other.id != table_id and subnet_id in other.facts["associations"]:
                act.call(
                    "ec2",
                    "replace_route_table_association",
                    AssociationId=other.facts["associations"].pop(subnet_id),
                    RouteTableId=table_id,
                )
                return
        act.call("ec2", "associate_route_table", RouteTableId=table_id, SubnetId=subnet_id)

    def delete(self, act: Any, change: Change) -> None:
        for association in change.found.facts["associations"].values():
            act.call("ec2", "disassociate_route_table", AssociationId=association)
        act.call("ec2", "delete_route_table", RouteTableId=change.id)


def _default_route(routes: list[dict[str, Any]]) -> Optional[str]:
    for route in routes:
        if route.get("DestinationCidrBlock") == EVERYWHERE:
            return route.get("NatGatewayId") or route.get("GatewayId") or route.get("TransitGatewayId") or route.get("NetworkInterfaceId")
    return None


def private_tables(network: Network, seen: Observed) -> dict[str, list[str]]:
    """Name of each private route table → zones of its subnets."""
    if not network.private:
        return {}
    zones = zones_of(network, seen)
    if network.nat == "per_zone":
        return {f"private-{zone}": [zone] for zone in zones}
    return {"private": zones}


def nat_zones(network: Network, seen: Observed) -> list[str]:
    """The zones that get a NAT gateway; with ``one``, the zone that has it already or else the first."""
    if not network.private or network.nat == "none":
        return []
    zones = zones_of(network, seen)
    if network.nat == "per_zone":
        return zones
    there = [found.name for found in seen.of("nat_gateway") if found.owned and found.name in zones]
    return sorted(there)[:1] or zones[:1]
