# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""VPC endpoints: S3 through a gateway in the route tables, ECR and Systems Manager through interfaces in the private (or public) subnets.

Read only when wished or when all has to be found. Service names:
docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.route_table import PUBLIC, private_tables
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.security_group import ENDPOINTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import subnet_ref, zones_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict, token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import VPC
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish

SERVICES = {"s3": ("s3",), "ecr": ("ecr.api", "ecr.dkr"), "ssm": ("ssm", "ssmmessages", "ec2messages")}
_NOT_FOUND = ("InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound")
_GONE = ("deleting", "deleted", "rejected", "failed", "expired")


class Endpoint(Ec2Kind):
    name = "endpoint"
    section = "network"
    needs = ("vpc", "subnet", "route_table", "security_group")
    immutable = ("vpc", "service", "type")

    def observe(self, reader: Reader) -> list[Found]:
        network = reader.stack.network
        if not (reader.complete or (network is not None and network.endpoints)):
            return []
        found = []
        for raw in reader.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=reader.filters()):
            if raw["State"].lower() in _GONE:
                continue
            tags = to_dict(raw.get("Tags"))
            kind = raw["VpcEndpointType"]
            state: dict[str, Any] = {"vpc": raw["VpcId"], "service": raw["ServiceName"], "type": kind}
            if kind == "Gateway":
                state["route_tables"] = sorted(raw.get("RouteTableIds", []))
            else:
                state["subnets"] = sorted(raw.get("SubnetIds", []))
                state["groups"] = sorted(one["GroupId"] for one in raw.get("Groups", []))
            name = tags.get("mlinfra:name", raw["VpcEndpointId"])
            facts = {"interfaces": raw.get("NetworkInterfaceIds", [])}
            found.append(Found(self.name, name, raw["VpcEndpointId"], state, tags, claims(tags, reader.scope, self.name), facts=facts))
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        network = intent.stack.network
        if network is None or network.existing is not None:
            return []
        wishes = []
        for wanted in network.endpoints:
            for service in SERVICES[wanted]:
                state: dict[str, Any] = {"vpc": VPC, "service": f"com.amazonaws.{intent.scope.region}.{service}"}
                if wanted == "s3":
                    state["type"] = "Gateway"
                    state["route_tables"] = [Ref("route_table", name) for name in (PUBLIC, *private_tables(network, seen))]
                else:
                    state["type"] = "Interface"
                    state["subnets"] = [subnet_ref(zone, network.private) for zone in zones_of(network, seen)]
                    state["groups"] = [Ref("security_group", ENDPOINTS)]
                tags = owner_tags(intent.scope, self.name, service, label(intent.scope, service))
                wishes.append(Wish(self.name, service, state, tags, path="network.endpoints"))
        return wishes

    def create(self, act: Any, change: Change) -> str:
        state = act.resolved(change.wish.state)
        request: dict[str, Any] = {"VpcId": state["vpc"], "ServiceName": state["service"], "VpcEndpointType": state["type"]}
        if state["type"] == "Gateway":
            request["RouteTableIds"] = state["route_tables"]
        else:
            request.update(SubnetIds=state["subnets"], SecurityGroupIds=state["groups"], PrivateDnsEnabled=True)
        request["TagSpecifications"] = [specification("vpc-endpoint", change.wish.tags)]
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:32]
        request["ClientToken"] = token_prefix(act.scope, act.seen.account_id) + digest
        return act.call("ec2", "create_vpc_endpoint", **request)["VpcEndpoint"]["VpcEndpointId"]

    def update(self, act: Any, change: Change) -> None:
        state = act.resolved(change.wish.state)
        words = {"route_tables": "RouteTableIds", "subnets": "SubnetIds", "groups": "SecurityGroupIds"}
        params: dict[str, Any] = {}
        for word in change.fields:
            there = change.found.state[word]
            added, removed = [one for one in state[word] if one not in there], [one for one in there if one not in state[word]]
            params.update({f"Add{words[word]}": added} if added else {})
            params.update({f"Remove{words[word]}": removed} if removed else {})
        if params:
            act.call("ec2", "modify_vpc_endpoint", VpcEndpointId=change.id, **params)
        self.retag(act, change)

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_vpc_endpoints", VpcEndpointIds=[change.id])

        def done() -> bool:
            ec2 = act.reader.client("ec2")
            answer = unless(_NOT_FOUND, lambda: ec2.describe_vpc_endpoints(VpcEndpointIds=[change.id]), {"VpcEndpoints": []})
            return all(raw["State"].lower() in ("deleted", "failed", "rejected") for raw in answer["VpcEndpoints"])

        act.wait(f"VPC endpoint {change.id} going away", done)
