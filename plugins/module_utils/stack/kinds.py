# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""All kinds of resources, in the order in which they depend on each other. A plan lists them so."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.bucket import Bucket
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.endpoint import Endpoint
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.gateway import InternetGateway
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.instance import Instance
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.key_pair import KeyPair
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.launch_template import LaunchTemplate
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.lease import Lease
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.nat import ElasticIp, NatGateway
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.placement_group import PlacementGroup
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.repository import Repository
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.role import InstanceProfile, Role
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.route_table import RouteTable
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.schedule import Schedule, ScheduleRole
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.security_group import SecurityGroup
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import Subnet
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import Vpc

KINDS: tuple[Kind, ...] = (
    Vpc(),
    Subnet(),
    InternetGateway(),
    ElasticIp(),
    NatGateway(),
    RouteTable(),
    SecurityGroup(),
    Endpoint(),
    KeyPair(),
    Bucket(),
    Repository(),
    Role(),
    InstanceProfile(),
    LaunchTemplate(),
    PlacementGroup(),
    ScheduleRole(),
    Lease(),
    Schedule(),
    Instance(),
)
BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
