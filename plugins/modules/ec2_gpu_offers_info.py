#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ec2_gpu_offers_info
version_added: 0.3.0
short_description: List the ways to get a GPU instance in a region, cheapest first
description:
  - Lists instance types, zones and markets that satisfy a wish, with what an hour costs, and says of all others why they do not.
  - Reads only, in at most three requests. Whether there is capacity is known only to who launches.
  - On-Demand prices are those of us-east-1, from a table of this collection; in other regions they are not known.
author:
  - mlinfra.hosts contributors (@mlinfra)
options:
  instance_types:
    description: Types to look for, instead of a wish for GPUs.
    type: list
    elements: str
    default: []
  models:
    description: GPU models, any of them, like V(a10g), V(l4) or V(h100). Every model for x86 machines when left out.
    type: list
    elements: str
    default: []
  count:
    description: GPUs of one instance. Any when left out.
    type: int
  memory_gib:
    description: Nominal memory of one GPU in GiB, like 24, 48 or 80. Any when left out.
    type: int
  fractional:
    description: Whether to look for parts of a GPU, instead of whole ones.
    type: bool
    default: false
  market:
    description: Markets to look at. For V(reservation) and V(capacity_block) the account must have one that is active.
    type: list
    elements: str
    choices: [reservation, capacity_block, spot, on_demand]
    default: [on_demand]
  max_hourly_usd:
    description: The most that an hour of one instance may cost. What has no known price is none then.
    type: float
  zones:
    description: Zones to look at. All of the region when left out.
    type: list
    elements: str
    default: []
  exclude_types:
    description: Types that are not wanted.
    type: list
    elements: str
    default: []
  exclude_zones:
    description: Zones that are not wanted.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - mlinfra.hosts.attributes.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: mlinfra.hosts.aws_stack
"""

EXAMPLES = r"""
- name: See where an instance with one GPU of 24 GiB is to be had for less than a dollar
  mlinfra.hosts.ec2_gpu_offers_info:
    region: us-east-1
    memory_gib: 24
    count: 1
    market: [spot, on_demand]
    max_hourly_usd: 1
  register: found

- name: Show the cheapest
  ansible.builtin.debug:
    var: found.offers[0]
"""

RETURN = r"""
offers:
  description: What there is, cheapest first; without a known price last.
  returned: success
  type: list
  elements: dict
  contains:
    instance_type:
      description: Type of the instance.
      type: str
      sample: g6.xlarge
    zone:
      description: Availability zone.
      type: str
      sample: us-east-1a
    market:
      description: Market.
      type: str
      sample: spot
    usd_per_hour:
      description: Price of an hour of one instance; 0 for what is paid for already, null when it is not known.
      type: float
      sample: 0.3412
    reservation:
      description: Id of the reservation or capacity block; null in other markets.
      type: str
    available:
      description: Instances that still fit into it; null in other markets.
      type: int
    ends:
      description: When it ends, ISO 8601; null when it does not.
      type: str
    gpu:
      description: The type's GPU, with its nominal memory sizes in GiB; null when the type is not known here.
      type: dict
      sample: {model: l4, count: 1, memory_gib: [24]}
rejected:
  description: What is no offer, and why. Zone and market are null where they do not matter.
  returned: success
  type: list
  elements: dict
  sample: [{instance_type: g5.xlarge, zone: us-east-1e, market: null, reason: it is none of zones}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import reading
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import MARKETS, public
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import CapacityWish, offers
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import match
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.entry import fail_cleanly

NAMES = {"type": "list", "elements": "str", "default": []}
ARGUMENTS = {
    "instance_types": NAMES,
    "models": NAMES,
    "count": {"type": "int"},
    "memory_gib": {"type": "int"},
    "fractional": {"type": "bool", "default": False},
    "market": {"type": "list", "elements": "str", "choices": list(MARKETS), "default": ["on_demand"]},
    "max_hourly_usd": {"type": "float"},
    "zones": NAMES,
    "exclude_types": NAMES,
    "exclude_zones": NAMES,
}


def wish_of(params):
    """The CapacityWish of the module's options. Raises StackError for values that no offer could satisfy."""
    known = match.models()
    models = tuple(model.lower() for model in params["models"])
    for model in models:
        if model not in known:
            raise StackError("models has %s: EC2 offers %s" % (model, ", ".join(known)), "Use one of those")
    for option in ("count", "memory_gib", "max_hourly_usd"):
        if params[option] is not None and params[option] <= 0:
            raise StackError("%s is %s: expected more than 0" % (option, params[option]), "Leave it out for any")
    if params["instance_types"] and (models or params["count"] or params["memory_gib"] or params["fractional"]):
        what = "instance_types stands beside models, count, memory_gib or fractional"
        raise StackError(what, "Give the types, or what their GPUs shall be")
    return CapacityWish(
        tuple(params["instance_types"]),
        models,
        params["count"],
        params["memory_gib"],
        params["fractional"],
        tuple(dict.fromkeys(params["market"])),
        params["max_hourly_usd"],
        tuple(params["zones"]),
        tuple(params["exclude_types"]),
        tuple(params["exclude_zones"]),
    )


def told_of(offer):
    """An offer with its GPU."""
    told = public(offer)
    gpu = GPU_TYPES.get(offer.instance_type)
    told["gpu"] = {"model": gpu.model, "count": gpu.count, "memory_gib": list(match.nominal(gpu))} if gpu else None
    return told


def main():
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with fail_cleanly(module):
        wish = wish_of(module.params)
        clients = Clients.of(module)
        found, rejected = offers(wish, reading.read(clients.get("ec2"), clients.region, reading.candidates(wish), wish.markets))
        module.exit_json(changed=False, offers=[told_of(one) for one in found], rejected=[one._asdict() for one in rejected])


if __name__ == "__main__":
    main()
