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
    found = []
    if ANYWHERE in network.access.cidrs:
        found.append(f"network.access.cidrs has {ANYWHERE}: the whole internet may try to log in by ssh. Give the addresses that you connect from.")
    for index, rule in enumerate(network.ingress):
        if ANYWHERE in rule.cidrs and rule.from_port <= 22 <= rule.to_port:
            found.append(f"network.ingress[{index}].cidrs has {ANYWHERE} and opens ssh to the whole internet. Give the addresses that you connect from.")
    return found


def _cut_off(network: Network, pools: bool) -> list[str]:
    if pools and network.private and network.nat == "none":
        where = f"only {', '.join(network.endpoints)}" if network.endpoints else "nothing outside"
        return [f"network.private is true and network.nat is none: hosts reach {where}, so no package mirror. Set nat: one, or give them a mirror inside."]
    return []
