# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Exclusions of pools that exclude nothing: most often they are misspelt, and what was to be kept out is launched. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import closest
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool


def idle(intent: Intent, seen: Observed) -> list[str]:
    """Sentences for a run's warnings.

    A type that is known and none of the pool's may come from a list that several pools share: nothing is said of it. Nor is anything
    of a zone of the region that the network does not use, where the run has read the region's zones.
    """
    if intent.absent:
        return []
    zones = set(seen.zones) | {found.state["zone"] for found in seen.of("subnet") if found.owned or found.existing}
    return [sentence for pool in intent.stack.pools or () for sentence in (*_types(pool), *_zones(pool, zones))]


def _types(pool: Pool) -> Iterable[str]:
    for name in pool.exclude_types:
        if name not in pool.instance_types and name not in GPU_TYPES:
            hint = closest(name, pool.instance_types, f"The pool may get {', '.join(pool.instance_types)}.")
            yield f"pools.{pool.name}.exclude_types has {name}, which the pool never gets: it excludes nothing. {hint}"


def _zones(pool: Pool, known: Collection[str]) -> Iterable[str]:
    for zone in pool.exclude_zones:
        if known and zone not in known:
            hint = closest(zone, sorted(known), f"There are {', '.join(sorted(known))}.")
            yield f"pools.{pool.name}.exclude_zones has {zone}, where the network has no subnet: it excludes nothing. {hint}"
