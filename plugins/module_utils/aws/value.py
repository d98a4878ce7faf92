# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which instances a pool gives up when it shrinks: the least valuable first, never a protected one. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch, placing
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import EXPIRES, PROTECT, marked_protected
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool

_RUNNING = ("pending", "running")
#: By what it would take to have them back: spot is there for the asking, a reservation is paid for and can be given to others.
_MARKETS = {"spot": 0, "on_demand": 1, "reservation": 2, "capacity_block": 2}
_NEVER = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


def surplus(pool: Pool, seen: Observed) -> int:
    """How many instances more than ``count`` the pool has."""
    return max(0, len(placing.alive(pool.name, seen)) - pool.count)


def leaving(pool: Pool, force: Collection[str], seen: Observed) -> list[Found]:
    """Those that go, the first to go first. Protected ones are among them only when there are too few others: they block the plan then.

    What EC2 protects has to be known of the first of them, see ``unexamined``.
    """
    number = surplus(pool, seen)
    return sorted(placing.alive(pool.name, seen).values(), key=lambda found: _worth(found, pool, force, seen))[:number] if number else []


def staying(pool: Pool, force: Collection[str], seen: Observed) -> dict[int, Found]:
    """Slot → its instance, of those that the pool keeps."""
    going = {found.id for found in leaving(pool, force, seen)}
    return {slot: found for slot, found in placing.alive(pool.name, seen).items() if found.id not in going}


def unexamined(pool: Pool, force: Collection[str], seen: Observed) -> list[Found]:
    """Of those that would go as far as is known, the ones of which is not known whether EC2 protects them."""
    return [found for found in leaving(pool, force, seen) if "protected" not in found.facts]


def shield(found: Found, force: Collection[str]) -> str:
    """Why an instance must not be ended, or nothing. ``force`` may name its pool or its host."""
    if {found.facts["pool"], found.name} & set(force):
        return ""
    if found.facts.get("protected"):
        return "has termination protection"
    if marked_protected(found.tags):
        return f"has the tag {PROTECT}"
    return ""


def why(found: Found, pool: Pool, force: Collection[str], seen: Observed) -> str:
    """Why this one goes and not another. A protected one goes only where too few others are left: then these are all named."""
    alive = placing.alive(pool.name, seen)
    there = len(alive)
    if shield(found, force):
        shielded = [alive[slot].name for slot in sorted(alive) if shield(alive[slot], force)]
        return f"count is {pool.count}, there are {there}, and protected are {', '.join(shielded)}"
    said = [
        "" if found.facts.get("status", "running") in _RUNNING else found.facts["status"],
        _outdated(found, pool, seen),
        found.facts.get("market", "on_demand"),
        f"its lease ends {found.tags[EXPIRES]}" if _expires(found) is not None else "",
        f"slot {found.facts['slot']}",
    ]
    return f"count is {pool.count}, there are {there}, and this one is worth least ({'; '.join(one for one in said if one)})"


def _worth(found: Found, pool: Pool, force: Collection[str], seen: Observed) -> tuple:
    return (
        found.id in pool.adopt,  # the declaration names it: there are always enough others, since adopted ones are at most count
        bool(shield(found, force)),
        found.facts.get("status", "running") in _RUNNING,
        not _outdated(found, pool, seen),
        _MARKETS.get(found.facts.get("market", "on_demand"), 1),
        _expires(found) or _NEVER,
        -found.facts["slot"],
    )


def _outdated(found: Found, pool: Pool, seen: Observed) -> str:
    return launch.outdated(found.state, pool, seen.images.get(pool.name))


def _expires(found: Found) -> Optional[datetime.datetime]:
    """When its lease ends; None without one, or when nobody can read it."""
    try:
        # Python 3.9 and 3.10 know no Z
        when = datetime.datetime.fromisoformat(found.tags.get(EXPIRES, "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)
