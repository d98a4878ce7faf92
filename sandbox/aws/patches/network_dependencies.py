# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in use cannot be deleted, and a deleted subnet leaves its route table.

AWS: DeleteVpc with a gateway, a group or an endpoint in it, DeleteSubnet with an interface in it, DeleteSecurityGroup that an interface
or another group's rule uses, and DetachInternetGateway while a public address is mapped answer DependencyViolation; an instance counts
until it is terminated.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html, API_DeleteSubnet.html, API_DeleteSecurityGroup.html,
API_DetachInternetGateway.html; https://docs.aws.amazon.com/vpc/latest/userguide/subnet-deleting.html
moto: allows all of these, but for subnets of a VPC, and keeps the association of a deleted subnet, which blocks its route table for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def apply() -> None:
    from moto.ec2.models.internet_gateways import InternetGatewayBackend
    from moto.ec2.models.security_groups import SecurityGroupBackend
    from moto.ec2.models.subnets import SubnetBackend
    from moto.ec2.models.vpcs import VPCBackend

    delete_vpc, delete_subnet = VPCBackend.delete_vpc, SubnetBackend.delete_subnet
    delete_group, detach = SecurityGroupBackend._delete_security_group, InternetGatewayBackend.detach_internet_gateway

    def patched_delete_vpc(self: Any, vpc_id: str) -> Any:
        self.get_vpc(vpc_id)
        if any(_in_vpc(self, vpc_id)):
            raise _violation(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return delete_vpc(self, vpc_id)

    def patched_delete_subnet(self: Any, subnet_id: str) -> Any:
        self.get_subnet(subnet_id)
        if any(interface.subnet.id == subnet_id for interface in _interfaces(self)):
            raise _violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        deleted = delete_subnet(self, subnet_id)
        for table in self.route_tables.values():
            for association, target in list(table._associations.items()):
                if target == subnet_id:
                    del table._associations[association]
        return deleted

    def patched_delete_group(self: Any, vpc_id: str | None, group_id: str) -> None:
        users = any(group_id in _group_ids(interface) for interface in _interfaces(self))
        named = any(group_id in _referenced(group) for groups in self.groups.values() for group in groups.values() if group.id != group_id)
        if users or named:
            raise _violation(f"resource {group_id} has a dependent object")
        delete_group(self, vpc_id, group_id)

    def patched_detach(self: Any, internet_gateway_id: str, vpc_id: str) -> None:
        if any(interface.subnet.vpc_id == vpc_id and interface.public_ip for interface in _interfaces(self)):
            raise _violation(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.")
        detach(self, internet_gateway_id, vpc_id)

    VPCBackend.delete_vpc, SubnetBackend.delete_subnet = patched_delete_vpc, patched_delete_subnet
    SecurityGroupBackend._delete_security_group, InternetGatewayBackend.detach_internet_gateway = patched_delete_group, patched_detach


def _violation(message: str) -> Exception:
    from moto.ec2.exceptions import DependencyViolationError

    return DependencyViolationError(message)


def _interfaces(backend: Any) -> Iterator[Any]:
    """Interfaces that exist for AWS: moto drops an instance's own as soon as its termination begins."""
    yield from list(backend.enis.values())
    for reservation in list(backend.reservations.values()):
        for instance in reservation.instances:
            if instance.state == "shutting-down":
                yield from (one for one in instance.nics.values() if one.id not in backend.enis)


def _group_ids(interface: Any) -> set[str]:
    return {group.id for group in interface.group_set}


def _referenced(group: Any) -> set[str]:
    """Ids of the groups that this group's rules name."""
    return {rule.source_group["GroupId"] for rule in [*group.ingress_rules, *group.egress_rules] if "GroupId" in (rule.source_group or {})}


def _in_vpc(backend: Any, vpc_id: str) -> Iterator[str]:
    yield from (gateway.id for gateway in backend.internet_gateways.values() if gateway.vpc is not None and gateway.vpc.id == vpc_id)
    yield from (group.id for group in backend.groups.get(vpc_id, {}).values() if group.name != "default")
    yield from (endpoint.id for endpoint in backend.vpc_end_points.values() if endpoint.vpc_id == vpc_id and endpoint.state != "deleted")
    yield from (interface.id for interface in _interfaces(backend) if interface.subnet.vpc_id == vpc_id)
