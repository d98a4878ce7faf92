# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is possible but seldom meant: sentences that a run shows as warnings."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Network, Stack

ANYWHERE = "0.0.0.0/0"


def advice(stack: Stack, control: Control) -> list[str]:
    if control.state == "absent" or stack.network is None or stack.network.existing is not None:
        return []
    return _open(stack.network) + _cut_off(stack.network, bool(stack.pools))


def _open(network: Network) -> list[str]:
    places = ["network.access.cidrs"] if ANYWHERE in network.access.cidrs else []
    for index, rule in enumerate(network.ingress):
        if ANYWHERE in rule.cidrs and rule.from_port <= 22 <= rule.to_port:
            places.append(f"network.ingress[{index}].cidrs")
    return [f"{place} has {ANYWHERE}: the whole internet may try ssh. Give the addresses that you connect from." for place in places]


def _cut_off(network: Network, pools: bool) -> list[str]:
    if not (pools and network.private and network.nat == "none"):
        return []
    reach = f"reach only {', '.join(network.endpoints)}" if network.endpoints else "reach nothing outside"
    return [f"network.nat is none and network.private true: hosts {reach}, so no packages. Set nat: one, or give them a mirror inside."]
