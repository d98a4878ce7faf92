# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What an instance has of placement, interfaces and volumes, and what a new one of its pool would have instead. Pure, information only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import volumes
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import limits_vcpu
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.check_volumes import letter_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool


def facts_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Of an instance as DescribeInstances shows it: nothing here needs a request of its own."""
    interfaces = raw.get("NetworkInterfaces") or []
    mapped = raw.get("BlockDeviceMappings") or []
    return {
        "placement_group": (raw.get("Placement") or {}).get("GroupName") or "",
        "efa": any(one.get("InterfaceType") in ("efa", "efa-only") for one in interfaces),
        "addresses": sum(one.get("InterfaceType") != "efa-only" for one in interfaces),
        "devices": sorted(one["DeviceName"] for one in mapped if "DeviceName" in one),
        "kept_volumes": volumes.kept(mapped),
        "vcpus": limits_vcpu.vcpus_of(raw),
    }


def differences(facts: Mapping[str, Any], pool: Pool, group: Optional[str]) -> list[str]:
    """:param group: name of the pool's placement group."""
    if "placement_group" not in facts:
        return []
    said = []
    if facts["placement_group"] != (group or ""):
        said.append(f"placement group {facts['placement_group'] or 'none'}, now {group or 'none'}")
    if facts["efa"] != pool.efa:
        said.append("efa, now without" if facts["efa"] else "no efa, now with")
    if facts["addresses"] != pool.interfaces:
        said.append(f"interfaces {facts['addresses']}, now {pool.interfaces}")
    there = {letter_of(device) for device in facts["devices"]}
    said += [f"no volume {one.device}, now one" for one in pool.volumes if letter_of(one.device) not in there]
    return said


def staying(facts: Mapping[str, Any]) -> str:
    """What is left of an instance that ends."""
    ids = facts.get("kept_volumes") or []
    if not ids:
        return ""
    many = len(ids) > 1
    return f"volume{'s' if many else ''} {', '.join(ids)} will stay: nothing here deletes {'them' if many else 'it'}"
