# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network section of a stack."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  network:
    description:
      - The network that the hosts live in.
      - Either one that the stack makes (O(network.cidr) with zones), or one that is there already (O(network.existing)).
      - Left out, the network is not managed; O(pools) need one.
    type: dict
    suboptions:
      cidr:
        description: IPv4 range of the VPC, with a prefix length of 16 to 28.
        type: str
      avoid_cidrs:
        description: Ranges of connected networks (office, VPN, peered VPCs) that O(network.cidr) must not overlap.
        type: list
        elements: str
      zone_count:
        description:
          - How many availability zones to use, of AWS's choice.
          - Exactly one of O(network.zone_count) and O(network.zone_names) is needed.
        type: int
      zone_names:
        description: The availability zones to use.
        type: list
        elements: str
      private:
        description: Whether hosts get no public address and live in private subnets.
        type: bool
        default: false
      nat:
        description:
          - How hosts of a private network reach the internet. NAT gateways cost money by the hour.
          - V(one) is one gateway for all zones, V(per_zone) one in each.
        type: str
        choices: [none, one, per_zone]
        default: none
      endpoints:
        description: AWS services to be reached without the internet. V(s3) is a gateway, V(ecr) and V(ssm) are interfaces.
        type: list
        elements: str
        choices: [s3, ecr, ssm]
      ingress:
        description: More ports that the hosts' security group opens. Within the group everything is open.
        type: list
        elements: dict
        suboptions:
          from_port:
            description: The port, or the first of a range.
            type: int
            required: true
          to_port:
            description: The last port of a range. Left out, it is O(network.ingress[].from_port).
            type: int
          protocol:
            description: The protocol of the ports.
            type: str
            choices: [tcp, udp]
            default: tcp
          cidrs:
            description: Where connections may come from. Left out, only from the hosts themselves.
            type: list
            elements: str
          description:
            description: What the rule is for, as the console shows it.
            type: str
            default: ''
      access:
        description: How the controller reaches the hosts over ssh. The inventory plugin emits what ssh needs for it.
        type: dict
        suboptions:
          via:
            description: V(direct) connects to each host, V(bastion) goes through one.
            type: str
            choices: [direct, bastion]
            default: direct
          cidrs:
            description: Where ssh may come from, to the hosts or to the bastion. Needed for a network that the stack makes.
            type: list
            elements: str
          bastion_pool:
            description: Name of the pool whose first host is the bastion.
            type: str
          bastion_host:
            description: Address of a bastion that is there already, instead of O(network.access.bastion_pool).
            type: str
          bastion_user:
            description: User to log in to the bastion as.
            type: str
      existing:
        description: A network that something else owns. It is read and checked, never written.
        type: dict
        suboptions:
          vpc:
            description: The VPC, by id or tags.
            type: dict
            suboptions:
              id:
                description: Id of the VPC.
                type: str
              tags:
                description: Tags that exactly one VPC has.
                type: dict
          subnets:
            description: The subnets for hosts, by ids, or by tags among those of the VPC.
            type: dict
            suboptions:
              ids:
                description: Ids of the subnets.
                type: list
                elements: str
              tags:
                description: Tags that the subnets have.
                type: dict
          security_groups:
            description: The security groups that hosts get, by ids, or by tags among those of the VPC.
            type: dict
            suboptions:
              ids:
                description: Ids of the groups.
                type: list
                elements: str
              tags:
                description: Tags that the groups have.
                type: dict
"""
