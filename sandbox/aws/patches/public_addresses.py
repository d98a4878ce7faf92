# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public addresses come from ranges that belong to nobody, each given once until all were.

AWS: an instance's public address and an Elastic IP are addresses of Amazon's own ranges.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html
moto: random addresses that belong to real machines of strangers (54.214.0.0/16), or to this one (127.0.0.0/8). A tool that takes the
emulator's word would connect to them. RFC 5737 keeps 198.51.100.0/24 and 203.0.113.0/24 free for documentation.
"""

from __future__ import annotations

import ipaddress
import itertools

AUTO_ASSIGNED = ipaddress.ip_network("198.51.100.0/24")
ELASTIC = ipaddress.ip_network("203.0.113.0/24")


def apply() -> None:
    from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces

    assigned, elastic = (itertools.cycle([str(host) for host in network.hosts()]) for network in (AUTO_ASSIGNED, ELASTIC))
    elastic_network_interfaces.random_public_ip = lambda: next(assigned)
    elastic_ip_addresses.random_ip = lambda: next(elastic)
