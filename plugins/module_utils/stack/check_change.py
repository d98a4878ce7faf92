# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a pool does with instances that the declaration has left behind, and which ones of others it adopts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import Problems

# Eight digits for what was launched before 2018 (Amazon EC2 user guide, resource IDs).
_INSTANCE = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")


def options(section: Mapping[str, Any], path: str, problems: Problems) -> dict[str, Any]:
    """The pool's ``on_change`` and ``adopt``."""
    adopt = checks.present(section["adopt"])
    for here, instance in checks.each(section["adopt"], f"{path}.adopt"):
        if not _INSTANCE.fullmatch(instance):
            problems.add(here, instance, "an instance's id belongs here", "Write it like i-0123456789abcdef0")
    if section["count"] is not None and 0 <= section["count"] < len(adopt):
        hint = f"Set count to {len(adopt)} or more"
        problems.add(f"{path}.adopt", f"{len(adopt)} ids", f"count is {section['count']}, and adopted instances count", hint)
    on_change = section["on_change"]
    markets = checks.present(section["market"])
    if on_change == "in_place" and markets and "on_demand" not in markets:
        hint = "Use on_change: replace, or on_demand in market"
        problems.add(f"{path}.on_change", on_change, "only On-Demand instances change their type, and market has no on_demand", hint)
    if on_change == "replace" and adopt and (section["spread"] is False or section["placement"] == "cluster"):
        hint = "Use on_change: keep or refuse, or leave out adopt"
        problems.add(f"{path}.on_change", on_change, "a pool in one zone is replaced whole, and adopted instances are not", hint)
    lease = section["lease"] or {}
    if on_change == "replace" and lease.get("expire") is not None and lease.get("enforce") == "scheduler":
        # the schedule is made for an instance by its id, before the launches: that of a successor would come with the next run only
        hint = "Use lease.enforce: host, or on_change: keep"
        problems.add(f"{path}.on_change", on_change, "a schedule ends one instance, and not the one that replaces it", hint)
    return {"on_change": on_change or "keep", "adopt": adopt}


def adopted_once(section: Iterable[Any], problems: Problems) -> None:
    """No instance is named twice, in one pool or in two."""
    named = [one for path, pool in checks.each(section, "pools") for one in checks.each(pool["adopt"], f"{path}.adopt")]
    checks.unique(named, problems)
