# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names and ids that others need: of what is there, and of what a plan will make (names known, ids null). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.repository import uri
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.role import name_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.security_group import HOSTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import public
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref


def outputs(
    intent: Intent,
    seen: Observed,
    changes: list[Change],
    ids: Optional[Mapping[Ref, str]] = None,
    facts: Optional[Mapping[Ref, dict[str, Any]]] = None,
) -> dict[str, Any]:
    """The return value of that name.

    :param ids: what was made by this run; None when nothing was applied.
    :param facts: what its creation told.
    """
    names = _names(seen, changes)
    made: dict[Ref, str] = dict(ids or {})

    def known(kind: str, name: str) -> Optional[str]:
        return made.get(Ref(kind, name)) or seen.id(Ref(kind, name))

    groups = names["security_group"]
    return {
        "vpc_id": next((known("vpc", name) for name in names["vpc"]), None),
        "subnets": {name: known("subnet", name) for name in names["subnet"]},
        "security_group_id": known("security_group", HOSTS if HOSTS in groups else groups[0]) if groups else None,
        "buckets": {name: _physical("bucket", name, "bucket_name", seen, changes) for name in names["bucket"]},
        "repositories": {name: _uri(name, seen, changes, facts or {}) for name in names["repository"]},
        "role": name_of(intent.scope) if names["role"] else None,
        "instance_profile": _profile(intent, names["instance_profile"]),
        "key_name": next(iter(names["key_pair"]), None),
        "pools": _pools(intent, seen, changes, made, facts or {}),
    }


def _names(seen: Observed, changes: list[Change]) -> dict[str, list[str]]:
    """The names of each kind that are there when the plan is done, in order."""
    kinds = ("vpc", "subnet", "security_group", "bucket", "repository", "role", "instance_profile", "key_pair")
    going = {(change.kind, change.name) for change in changes if change.action == "delete"}
    found: dict[str, list[str]] = {}
    for kind in kinds:
        wished = [change.name for change in changes if change.kind == kind and change.wish is not None]
        there = [one.name for one in seen.of(kind) if one.owned or one.existing]
        found[kind] = [name for name in dict.fromkeys([*wished, *there]) if (kind, name) not in going]
    return found


def _physical(kind: str, name: str, word: str, seen: Observed, changes: list[Change]) -> Optional[str]:
    found = seen.get(kind, name)
    if found is not None:
        return found.id
    return next((change.wish.state[word] for change in changes if change.kind == kind and change.name == name and change.wish), None)


def _uri(name: str, seen: Observed, changes: list[Change], facts: Mapping[Ref, dict[str, Any]]) -> Optional[str]:
    told = facts.get(Ref("repository", name), {}).get("uri")
    found = seen.get("repository", name)
    if told or found is not None:
        return told or found.facts["uri"]
    physical = _physical("repository", name, "repository_name", seen, changes)
    return uri(seen.account_id, seen.region, seen.partition, physical) if physical else None


def _profile(intent: Intent, names: list[str]) -> Optional[str]:
    if not names:
        return None
    return name_of(intent.scope) if names[0] == "hosts" else names[0]


def _pools(
    intent: Intent, seen: Observed, changes: list[Change], made: dict[Ref, str], facts: Mapping[Ref, dict[str, Any]]
) -> dict[str, Any]:
    going = {change.found.id for change in changes if change.kind == "instance" and change.action in ("delete", "replace")}
    pools: dict[str, dict[str, Any]] = {
        pool.name: {"instance_ids": [], "private_ips": []} for pool in intent.stack.pools or () if not intent.absent
    }

    def add(pool: str, instance_id: Optional[str], address: Optional[str]) -> None:
        entry = pools.setdefault(pool, {"instance_ids": [], "private_ips": []})
        entry["instance_ids"].append(instance_id)
        entry["private_ips"].append(address)

    rows: list[tuple[str, int, Optional[str], Optional[str]]] = []
    for found in seen.of("instance"):
        if found.owned and found.id not in going and found.facts["slot"] is not None:
            rows.append((found.facts["pool"], found.facts["slot"], found.id, found.facts["private_ip"]))
    for change in changes:
        if change.kind == "instance" and change.action == "adopt":
            rows.append((change.wish.make["pool"].name, change.wish.make["slot"], change.id, change.found.facts["private_ip"]))
        if change.kind == "instance" and change.action in ("create", "replace"):
            ref = Ref("instance", change.name)
            rows.append((change.wish.make["pool"].name, change.wish.make["slot"], made.get(ref), facts.get(ref, {}).get("private_ip")))
    for pool, _slot, instance_id, address in sorted(rows, key=lambda row: row[:2]):
        add(pool, instance_id, address)
    return pools


def offers_of(changes: list[Change]) -> dict[str, list[dict[str, Any]]]:
    """Pool → its offers in the order in which they are tried, for pools that launch something."""
    new = [change for change in reversed(changes) if change.kind == "instance" and change.action in ("create", "replace")]
    launching = {change.wish.make["pool"].name: change for change in new}
    return {pool: [public(one) for one in launching[pool].wish.make["offers"]] for pool in sorted(launching)}


def resources(seen: Observed) -> list[dict[str, Any]]:
    """All that is there, for people and for aws_stack_info."""
    return [
        {"kind": kind, "name": found.name, "id": found.id, "owned": found.owned}
        for kind, listed in seen.found.items()
        for found in listed
        if not found.existing and not _ended(found)
    ]


def _ended(found: Found) -> bool:
    return "ended" in found.facts
