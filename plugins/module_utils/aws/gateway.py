# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The internet gateway of an owned network."""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import MAIN, VPC
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish

GATEWAY = Ref("internet_gateway", MAIN)


class InternetGateway(Ec2Kind):
    name = "internet_gateway"
    section = "network"
    needs = ("vpc",)

    def observe(self, reader: Reader) -> list[Found]:
        found = []
        for raw in reader.pages("ec2", "describe_internet_gateways", "InternetGateways", Filters=reader.filters()):
            tags = to_dict(raw.get("Tags"))
            attached = next((one["VpcId"] for one in raw.get("Attachments", []) if one.get("VpcId")), None)
            owned = claims(tags, reader.scope, self.name)
            found.append(
                Found(
                    self.name, tags.get("mlinfra:name", raw["InternetGatewayId"]), raw["InternetGatewayId"], {"vpc": attached}, tags, owned
                )
            )
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        network = intent.stack.network
        if network is None or network.existing is not None:
            return []
        return [Wish(self.name, MAIN, {"vpc": VPC}, owner_tags(intent.scope, self.name, MAIN, label(intent.scope)), path="network")]

    def create(self, act: Any, change: Change) -> str:
        answer = act.call("ec2", "create_internet_gateway", TagSpecifications=[specification("internet-gateway", change.wish.tags)])
        gateway_id = answer["InternetGateway"]["InternetGatewayId"]
        act.made.add(self.name)
        act.call("ec2", "attach_internet_gateway", InternetGatewayId=gateway_id, VpcId=act.id(VPC))
        return gateway_id

    def update(self, act: Any, change: Change) -> None:
        if "vpc" in change.fields:
            if change.found.state["vpc"]:
                act.call("ec2", "detach_internet_gateway", InternetGatewayId=change.id, VpcId=change.found.state["vpc"])
            act.call("ec2", "attach_internet_gateway", InternetGatewayId=change.id, VpcId=act.id(VPC))
        self.retag(act, change)

    def delete(self, act: Any, change: Change) -> None:
        if change.found.state["vpc"]:
            try:
                act.call("ec2", "detach_internet_gateway", InternetGatewayId=change.id, VpcId=change.found.state["vpc"])
            except Exception as error:
                if code_of(error) != "Gateway.NotAttached":
                    raise
        act.call("ec2", "delete_internet_gateway", InternetGatewayId=change.id)
