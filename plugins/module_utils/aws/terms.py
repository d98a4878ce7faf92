# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Until when each slot of a pool is leased, and who ends its instance then. Pure.

A lease belongs to a slot, not to one instance: it begins when the slot is filled first, and an instance that replaces another one lives
for the rest of it. Otherwise a slot that loses its instance every day would never end. All moments are of the controller's clock, which
is right to minutes: AWS refuses requests that are signed with another time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import timer
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.placing import adopting, alive, missing, slots_of, slots_text
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import epoch, moment
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool

#: Moment of the end; who sees to it (host | scheduler); seconds that a host may be idle.
EXPIRES, ENFORCE, IDLE = "mlinfra:expires", "mlinfra:enforce", "mlinfra:idle"
ENDS = (EXPIRES, ENFORCE)
#: Only on instances that were launched with the timer: what EC2 does when the host powers itself off (stop | terminate).
TIMER = "mlinfra:timer"
NOBODY = "nobody"
_LATE = 600  # seconds after its end by which an instance has ended, if anybody sees to it


class Term(NamedTuple):
    """When the lease of a slot began (epoch), and the ``renew`` that it began with."""

    began: int
    renew: str = ""


def expiring(pool: Pool) -> bool:
    return pool.lease is not None and pool.lease.expire is not None


def scheduled(pool: Pool) -> bool:
    return expiring(pool) and pool.lease.enforce == "scheduler"


def recorded(state: Mapping[str, Any]) -> dict[int, Term]:
    """Slot → term, from the state of a record (kind ``lease``)."""
    terms = {}
    for group in state.get("slots") or ():
        began = epoch(group.get("began"))
        if began is not None:
            terms.update(dict.fromkeys(slots_of(str(group.get("slots", ""))), Term(began, str(group.get("renew", "")))))
    return terms


def record(terms: Mapping[int, Term]) -> list[dict[str, str]]:
    """The reverse: slots that began together are one entry, since a parameter has 4 KiB."""
    groups: dict[Term, list[int]] = {}
    for slot, term in sorted(terms.items()):
        groups.setdefault(term, []).append(slot)
    return [{"slots": slots_text(slots), "began": moment(term.began), "renew": term.renew} for term, slots in groups.items()]


def known(pool: str, seen: Observed) -> dict[int, Term]:
    found = seen.get("lease", pool)
    return recorded(found.state) if found is not None else {}


def terms(pool: Pool, seen: Observed) -> dict[int, Term]:
    """Slot → its term when the plan is carried out; of slots beyond ``count`` as it is recorded, so that they come back as they went.

    A term begins now where there was none, where ``renew`` is another one, and for an instance that does not know of any end.
    """
    if not expiring(pool):
        return {}
    before, there = known(pool.name, seen), {**alive(pool.name, seen), **adopting(pool, seen)}
    after = dict(before)
    for slot in sorted({*there, *missing(pool, seen)}):
        old = before.get(slot)
        untold = slot in there and epoch(there[slot].tags.get(EXPIRES)) is None
        fresh = old is None or old.renew != pool.lease.renew or untold
        if fresh and (slot in there or pool.power != "stopped"):
            after[slot] = Term(seen.now, pool.lease.renew)
    return after


def ends(pool: Pool, seen: Observed) -> dict[int, int]:
    """Slot → when its lease ends once the plan is carried out (epoch)."""
    return {slot: term.began + pool.lease.expire for slot, term in terms(pool, seen).items()}


def to_fill(pool: Pool, seen: Observed) -> list[int]:
    """The slots that this run launches: none of a pool that is to be stopped, and none whose lease is over."""
    if pool.power == "stopped":
        return []  # launched and stopped at once, a host would be paid for and cut short in the middle of its first boot
    until = ends(pool, seen)
    return [slot for slot in missing(pool, seen) if slot not in until or until[slot] > seen.now]


def left_empty(pool: Pool, seen: Observed) -> list[Change]:
    """A line of the plan for each slot that stays empty, with the reason."""
    filled, until, lines = set(to_fill(pool, seen)), ends(pool, seen), []
    for slot in missing(pool, seen):
        if slot in filled:
            continue
        if slot in until and until[slot] <= seen.now:
            reason = f"its lease ended at {moment(until[slot])}: it is launched again when pools.{pool.name}.lease.renew changes"
        else:
            reason = f"pools.{pool.name}.power is stopped: it is launched when power is running or unmanaged"
        lines.append(Change("instance", f"{pool.name}-{slot}", "pending", reason))
    return lines


def tags(pool: Pool, end: Optional[int]) -> dict[str, str]:
    """Of an instance, whenever it was launched; ``end`` is one of ``ends``."""
    found = {}
    if end is not None:
        found.update({EXPIRES: moment(end), ENFORCE: pool.lease.enforce})
    if pool.lease is not None and pool.lease.idle is not None:
        found[IDLE] = str(pool.lease.idle)
    return found


def launch_tags(pool: Pool) -> dict[str, str]:
    """Of an instance that is launched now."""
    return {TIMER: pool.lease.shutdown} if pool.lease is not None and pool.lease.on_host else {}


def launch_state(pool: Pool, end: Optional[int]) -> dict[str, Any]:
    """What the plan shows of a new instance."""
    if pool.lease is None:
        return {}
    shown: dict[str, Any] = {"expires": moment(end)} if end is not None else {}
    return {**shown, "enforced": pool.lease.enforce if end is not None else "host"}


def state(pool: Pool) -> dict[str, Any]:
    """What an instance that is there is compared with, besides its tags. None: the tag goes."""
    wished: dict[str, Any] = {}
    if not expiring(pool):
        wished["expires"] = None
    if pool.lease is None or pool.lease.idle is None:
        wished["idle"] = None
    if pool.lease is not None and pool.lease.on_host:
        wished.update(shutdown=pool.lease.shutdown, metadata_tags="enabled")
    return wished


def found_state(instance_tags: Mapping[str, str], metadata_tags: Optional[str]) -> dict[str, Any]:
    """The same words of an instance that is there; only those that it has, so that others show nothing of leases."""
    there: dict[str, Any] = {}
    for word, key in (("expires", EXPIRES), ("idle", IDLE), ("shutdown", TIMER)):
        if key in instance_tags:
            there[word] = instance_tags[key]
    if TIMER in instance_tags:
        there["metadata_tags"] = metadata_tags or "disabled"
    return there


def into_request(params: dict[str, Any], pool: Pool) -> None:
    """Complete the parameters of RunInstances."""
    if pool.lease is None or not pool.lease.on_host:
        return
    params["UserData"] = timer.user_data(pool.user_data)
    params["MetadataOptions"] = {**params["MetadataOptions"], "InstanceMetadataTags": "enabled"}
    params["InstanceInitiatedShutdownBehavior"] = pool.lease.shutdown


def enforcer(found: Found, schedules: Iterable[Found]) -> str:
    """Who ends an instance that has an end: scheduler, host, or nobody."""
    if any(one.facts.get("instance") == found.id for one in schedules):
        return "scheduler"
    if found.tags.get(TIMER) == "terminate" and found.facts["status"] in ("pending", "running"):
        return "host"
    return NOBODY


def join(seen: Observed) -> None:
    """Names schedules after the slots of their instances, and notes of each instance with a lease who enforces it."""
    schedules = [one for one in seen.of("schedule") if one.owned]
    for found in seen.of("instance"):
        if not found.owned:
            continue
        for one in schedules:
            if one.facts["instance"] == found.id and found.facts["slot"] is not None:
                one.name, one.facts["pool"] = found.name, found.facts["pool"]
        if EXPIRES in found.tags:
            found.state["enforced"] = NOBODY if _overdue(found, seen.now) else enforcer(found, schedules)
        elif IDLE in found.tags:
            found.state["enforced"] = "host" if TIMER in found.tags else NOBODY


def settle(change: Change) -> Change:
    """The change of an instance that is there, with its new end in words."""
    if change.action == "update" and EXPIRES in change.tags:
        old = (change.before or {}).get("tags", {}).get(EXPIRES)
        change.reason += f"; leased until {change.tags[EXPIRES]}" + (f" instead of {old}" if old else "")
    return change


def over_at_once(change: Change, seen: Observed) -> str:
    """What is to be said of an instance whose lease is moved into the past: its timer, its schedule or the playbook reap ends it then."""
    new, old = epoch(change.tags.get(EXPIRES)), epoch(change.found.tags.get(EXPIRES)) if change.found is not None else None
    if new is None or new > seen.now or (old is not None and old <= seen.now):
        return ""
    return f"its lease would end at {moment(new)}, which has passed, instead of {moment(old) if old is not None else 'never'}"


def _overdue(found: Found, now: int) -> bool:
    """Whether it is there although its lease is long over: whoever was to end it has not."""
    end = epoch(found.tags.get(EXPIRES))
    return end is not None and end + _LATE < now


def note(found: Found, pool: Pool) -> str:
    if pool.lease is None:
        return ""
    parts = [f"leased until {found.state['expires']}"] if "expires" in found.state else []
    if "enforced" in found.state:
        parts.append(f"ended by {found.state['enforced']}")
    return ", ".join(parts)


def unenforced(changes: Iterable[Change], now: int) -> list[str]:
    """A sentence for each pool with instances that nobody would end, also after the plan is carried out.

    :param now: when they were read (epoch).
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        if change.kind != "instance" or change.wish is None or change.found is None or change.action not in ("keep", "update", "adopt"):
            continue
        pool = change.wish.make["pool"]
        lease, there = pool.lease, change.found
        if lease is None:
            continue
        if _overdue(there, now) and EXPIRES not in change.tags and "expires" not in change.fields:
            what, why = "expire", f"the lease ended at {there.tags[EXPIRES]}, and it is still there"
            what = "expire of adopted" if there.id in pool.adopt else "expire of overdue"
        elif lease.on_host and TIMER not in there.tags:
            what = "expire" if lease.expire is not None and lease.enforce == "host" else "idle"
            what = "expire of adopted" if what == "expire" and there.id in pool.adopt else what
            why = "launched without the timer, so nobody sees to it"
        elif lease.expire is not None and lease.enforce == "host" and there.facts["status"] in ("stopping", "stopped"):
            what, why = "expire", "stopped, so the host cannot end itself until it runs"
        else:
            continue
        found.setdefault((pool.name, what, why), []).append(f"{change.name} ({there.id})")
    hint = {
        "expire": "Use enforce: scheduler, or run the playbook reap on a schedule.",
        "expire of overdue": "Run the playbook reap, or set lease.renew to another word to keep it.",
        "expire of adopted": "Use enforce: scheduler: the playbook reap ends only what the stack launched.",
        "idle": "It works for instances that are launched from now on.",
    }
    return [
        f"pools.{pool}.lease.{what.partition(' ')[0]} is not enforced for {', '.join(names)}: {why}. {hint[what]}"
        for (pool, what, why), names in found.items()
    ]
