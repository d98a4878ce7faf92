# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where a pool's instances are in the network and to each other: placement, EFA, interfaces. What a type can do is judged in the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import Problems

_NAME = 255  # Amazon EC2 API reference, CreatePlacementGroup: up to 255 ASCII characters


def launch(section: Mapping[str, Any], path: str, problems: Problems) -> dict[str, Any]:
    """The arguments of Pool that are checked here."""
    group, placement = section["existing_placement_group"], section["placement"] or "none"
    here = f"{path}.existing_placement_group"
    if group is not None and placement != "cluster" and not problems.at(f"{path}.placement"):
        problems.add(here, group, f"{path}.placement is {placement}, so no group is used", "Set placement: cluster, or remove it")
    if group is not None and not (len(group) <= _NAME and group.isascii() and group.isprintable()):
        problems.add(here, group, f"EC2 has names of 1 to {_NAME} printable ASCII characters", "Give the name that EC2 shows")
    checks.least(section["interfaces"], 1, f"{path}.interfaces", problems, "Leave it out for one")
    return {
        "placement": placement,
        "existing_placement_group": group,
        "efa": bool(section["efa"]),
        "interfaces": section["interfaces"] or 1,
    }
