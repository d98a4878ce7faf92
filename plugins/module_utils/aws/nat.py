# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""NAT gateways and their addresses, one pair per zone that has one. Read only when wished, or when all has to be found."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.route_table import nat_zones
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import subnet_ref
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict, token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish

_ALIVE = ("pending", "available")


def _worth_reading(reader: Reader) -> bool:
    network = reader.stack.network
    return reader.complete or (network is not None and network.nat != "none")


class ElasticIp(Ec2Kind):
    name = "elastic_ip"
    section = "network"

    def observe(self, reader: Reader) -> list[Found]:
        if not _worth_reading(reader):
            return []
        found = []
        for raw in reader.client("ec2").describe_addresses(Filters=reader.filters())["Addresses"]:
            tags = to_dict(raw.get("Tags"))
            facts = {"public_ip": raw.get("PublicIp")}
            name = tags.get("mlinfra:name", raw["AllocationId"])
            found.append(Found(self.name, name, raw["AllocationId"], {}, tags, claims(tags, reader.scope, self.name), facts=facts))
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        return _per_zone(self.name, intent, seen, lambda zone: {})

    def create(self, act: Any, change: Change) -> str:
        return act.call("ec2", "allocate_address", Domain="vpc", TagSpecifications=[specification("elastic-ip", change.wish.tags)])[
            "AllocationId"
        ]

    def update(self, act: Any, change: Change) -> None:
        self.retag(act, change)

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "release_address", AllocationId=change.id)


class NatGateway(Ec2Kind):
    name = "nat_gateway"
    section = "network"
    needs = ("subnet", "elastic_ip", "internet_gateway")
    immutable = ("subnet", "address")
    replaceable = True

    def observe(self, reader: Reader) -> list[Found]:
        if not _worth_reading(reader):
            return []
        found = []
        for raw in reader.pages("ec2", "describe_nat_gateways", "NatGateways", Filters=reader.filters()):
            ended = raw["State"] not in _ALIVE
            tags = to_dict(raw.get("Tags"))
            addresses = raw.get("NatGatewayAddresses", [])
            address = next((one["AllocationId"] for one in addresses if one.get("AllocationId")), None)
            state = {"subnet": raw["SubnetId"], "address": address}
            name = tags.get("mlinfra:name", raw["NatGatewayId"])
            owned = claims(tags, reader.scope, self.name) and not ended
            facts: dict[str, Any] = {"interfaces": [one["NetworkInterfaceId"] for one in addresses if one.get("NetworkInterfaceId")]}
            if ended:
                facts["ended"] = True  # counts as gone; its id keeps the next token from being the same
            found.append(Found(self.name, name, raw["NatGatewayId"], state, tags, owned, facts=facts))
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        return _per_zone(
            self.name, intent, seen, lambda zone: {"subnet": subnet_ref(zone, private=False), "address": Ref("elastic_ip", zone)}
        )

    def create(self, act: Any, change: Change) -> str:
        state = act.resolved(change.wish.state)
        ended = sorted(found.id for found in act.seen.of(self.name) if found.name == change.name)
        request = "/".join([state["subnet"], state["address"], *ended])
        answer = act.call(
            "ec2",
            "create_nat_gateway",
            SubnetId=state["subnet"],
            AllocationId=state["address"],
            TagSpecifications=[specification("natgateway", change.wish.tags)],
            ClientToken=token_prefix(act.scope, act.seen.account_id) + hashlib.sha256(request.encode()).hexdigest()[:32],
        )
        gateway_id = answer["NatGateway"]["NatGatewayId"]
        act.made.add(self.name)
        self._settle(act, gateway_id, "available")
        return gateway_id

    @staticmethod
    def _settle(act: Any, gateway_id: str, wanted: str) -> None:
        def done() -> bool:
            listed = act.call("ec2", "describe_nat_gateways", NatGatewayIds=[gateway_id])["NatGateways"]
            if not listed:
                return wanted == "deleted"
            raw = listed[0]
            if raw["State"] == "failed" and wanted != "deleted":
                raise StackError(
                    f"NAT gateway {gateway_id} failed: {raw.get('FailureCode')}: {raw.get('FailureMessage')}",
                    "Mend the cause and run again",
                    id=gateway_id,
                )
            return raw["State"] == wanted

        act.wait(f"NAT gateway {gateway_id} becoming {wanted}", done)

    def update(self, act: Any, change: Change) -> None:
        self.retag(act, change)

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_nat_gateway", NatGatewayId=change.id)
        self._settle(act, change.id, "deleted")


def _per_zone(kind: str, intent: Intent, seen: Observed, state: Any) -> list[Wish]:
    network = intent.stack.network
    if network is None or network.existing is not None:
        return []
    return [
        Wish(kind, zone, state(zone), owner_tags(intent.scope, kind, zone, label(intent.scope, f"nat-{zone}")), path="network.nat")
        for zone in nat_zones(network, seen)
    ]
