# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the hosts of a stack could be reached at all, and what else sections need of each other."""

from __future__ import annotations

import ipaddress

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import MISSING, Problems, closest, listed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Access, Network, Pool, Stack

# RFC 1918 and RFC 6598: who comes from there is on a connected network, not on the internet.
_INSIDE = [ipaddress.ip_network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]


def reach(stack: Stack, problems: Problems) -> None:
    if stack.network is not None:
        _pool_names(stack, problems)
        if stack.pools and not problems.at("network"):
            _ways_in(stack.network, stack.network.access, problems)
    if not stack.pools:
        return
    if stack.network is None and not problems.at("network"):
        problems.add("network", MISSING, "pools need a network", "Declare one, or name one that is there in network.existing")
    if stack.key is None and not problems.at("key"):
        problems.add(
            "key",
            MISSING,
            "nobody could log in to the hosts of pools",
            "Set key: {public_key_file: ~/.ssh/id_ed25519.pub}, or {name: …, existing: true}",
        )
    if stack.network is not None:
        _zones(stack.network, stack.pools, problems)


def _pool_names(stack: Stack, problems: Problems) -> None:
    """The bastion is the first host of a pool of this declaration."""
    name = stack.network.access.bastion_pool
    if name is None or stack.pools is None or problems.at("pools"):
        return
    path = "network.access.bastion_pool"
    counts = {pool.name: pool.count for pool in stack.pools}
    if name not in counts:
        problems.add(path, name, f"pools declares {listed(counts)}", closest(name, counts, "Declare that pool, or give bastion_host"))
    elif counts[name] < 1:
        problems.add(path, name, "that pool has no hosts, so there is no way in", "Set its count to 1")


def _ways_in(network: Network, access: Access, problems: Problems) -> None:
    path = "network.access"
    if network.existing is not None:
        if access.cidrs:
            hint = "Remove it, and allow ssh in those groups"
            problems.add(f"{path}.cidrs", listed(access.cidrs), "network.existing.security_groups decide who may connect", hint)
        return
    if access.via == "direct" and network.private and not _inside(access.cidrs):
        problems.add(
            f"{path}.via",
            "direct",
            "hosts of a private network have no public address, so nothing could reach them",
            "Set via: bastion with bastion_pool, or give the private ranges of your VPN in access.cidrs, or set private: false",
        )
    elif not access.cidrs:
        who = "the bastion's address" if access.bastion_host else "the address that you connect from"
        problems.add(
            f"{path}.cidrs", MISSING, "ssh is closed to all, so nothing could reach the hosts", f"Give {who}, like [203.0.113.7/32]"
        )


def _inside(cidrs: tuple[str, ...]) -> bool:
    """Whether there are ranges and all of them lie in private address space."""
    networks = [ipaddress.ip_network(cidr) for cidr in cidrs]
    return bool(networks) and all(any(network.subnet_of(block) for block in _INSIDE) for network in networks)


def _zones(network: Network, pools: tuple[Pool | None, ...], problems: Problems) -> None:
    if not network.zone_names:
        return
    for index, pool in enumerate(pools):
        for place, zone in enumerate(pool.zones):
            if zone not in network.zone_names:
                hint = "Use one of those, or add it to network.zone_names"
                problems.add(f"pools[{index}].zones[{place}]", zone, f"the network has {listed(network.zone_names)}", hint)
