# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""(Declaration, what was observed) → changes. Pure: nothing here reads or writes anything."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import REGION
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.kinds import BY_NAME, KINDS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish, plain, resolve
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Stack

#: Kinds whose names AWS keeps unique, so that somebody else's resource of that name is in the way.
_UNIQUE = ("key_pair", "bucket", "repository", "role", "instance_profile", "schedule_role", "placement_group")
_PLAN_ID = 16  # hexadecimal digits


def plan(intent: Intent, seen: Observed) -> list[Change]:
    """All changes in the order of the kinds, then the deletions in the reverse order: as they are carried out.

    :raises StackError: what is declared is not possible with what is there.
    """
    changes: list[Change] = []
    remade: set[Ref] = set()
    for kind in KINDS:
        if kind.name in seen.found:
            changes.extend(_of_kind(kind, intent, seen, remade))
            remade.update(Ref(change.kind, change.name) for change in changes if change.action == "replace")
    place = {kind.name: number for number, kind in enumerate(KINDS)}
    changes.sort(key=lambda change: (1, -place[change.kind]) if change.action == "delete" else (0, 0))
    return _bounded(changes, intent, seen)


def managed(kind: Kind, intent: Intent) -> bool:
    """Whether the declaration says anything about this kind: only then is it written or pruned."""
    return intent.absent or getattr(intent.stack, kind.section) is not None


def _of_kind(kind: Kind, intent: Intent, seen: Observed, remade: set[Ref]) -> list[Change]:
    if not managed(kind, intent):
        return []
    wishes = [] if intent.absent else kind.wish(intent, seen)

    def ids(ref: Ref) -> Any:
        return None if ref in remade else seen.id(ref)

    changes = [kind.settle(_wished(kind, wish, seen, ids), intent, seen) for wish in wishes]
    for change in changes:
        refused = kind.refused(change, intent, seen) if change.action in ("update", "adopt") else ""
        if refused:
            change.action, change.reason = "blocked", refused
    changes += [] if intent.absent else kind.aside(intent, seen)
    wanted = {wish.name for wish in wishes}
    for found in sorted(seen.of(kind.name), key=lambda one: one.name):
        if found.owned and not found.existing and found.name not in wanted:
            changes.append(_unwished(kind, found, intent, seen))
        elif not found.owned and not found.existing and not found.facts.get("unrelated") and "ended" not in found.facts:
            changes.append(_foreign(kind, found, found.name in wanted))
    return changes


def _wished(kind: Kind, wish: Wish, seen: Observed, ids: Any) -> Change:
    found = seen.get(kind.name, wish.name) or wish.adopts
    if wish.existing:
        if found is None:
            raise StackError(f"{wish.path} refers to {kind.name} {wish.name}, which is not there", "Check the reference")
        return Change(
            kind.name, wish.name, "keep", "exists already: read, never written", _shown(found), _shown(found), found.id, wish, found
        )
    after = plain(wish.state)
    if found is None:
        in_the_way = next((one for one in seen.of(kind.name) if one.name == wish.name and kind.name in _UNIQUE), None)
        if in_the_way is not None:
            raise StackError(
                f"{wish.path} wants {kind.name} {in_the_way.id}: one of that name is there, and this stack did not make it",
                _way_past(in_the_way, seen.region),
                path=wish.path,
            )
        return Change(kind.name, wish.name, "create", "does not exist", None, {**after, "tags": wish.tags}, None, wish)
    state = resolve(wish.state, ids)
    differing = tuple(word for word in state if word in found.state and not kind.same(word, state[word], found.state[word]))
    tags = {key: value for key, value in wish.tags.items() if found.tags.get(key) != value}
    before = {word: found.state[word] for word in differing}
    wanted: dict[str, Any] = {word: after[word] for word in differing}
    if tags:
        before["tags"], wanted["tags"] = {key: found.tags.get(key) for key in tags}, tags
    change = Change(kind.name, wish.name, "update", "", before, wanted, found.id, wish, found, differing, tags)
    fixed = [word for word in differing if word in kind.immutable]
    if fixed and kind.replaceable:
        change.action, change.reason = "replace", f"{', '.join(fixed)} cannot change on what is there"
    elif fixed:
        change.action = "blocked"
        change.reason = (
            f"{fixed[0]} is {found.state[fixed[0]]} and cannot become {after[fixed[0]]}: declare what is there, or remove it first"
        )
    elif differing or tags:
        change.reason = f"{', '.join([*differing, *(['tags'] if tags else [])])} differ"
    else:
        change.action, change.reason = "keep", kind.note(found, wish, seen)
        change.before = change.after = _shown(found)
    return change


def _way_past(found: Found, here: str) -> str:
    """What to do about one of that name. IAM has one name for all regions: it may be in use by this stack's namesake in another one."""
    region = found.tags.get(REGION)
    if found.kind in ("role", "instance_profile") and region and region != here:
        return f"It is that of the stack in {region}: leave it, and use identity.existing_instance_profile here, or another environment"
    return "Refer to it as existing, rename it, or remove it"


def _unwished(kind: Kind, found: Found, intent: Intent, seen: Observed) -> Change:
    parting = "" if intent.absent else kind.parting(found, intent, seen)
    why = found.facts.get("surplus") or parting or "not declared any more"
    change = Change(kind.name, found.name, "delete", why, _shown(found), None, found.id, None, found)
    if intent.absent:
        change.reason = "the stack is to be absent"
    elif not intent.prune and not kind.surplus(found, intent):
        change.action, change.reason, change.after = "keep", "not declared; prune would remove it", change.before
        return change
    change.reason = "; ".join(filter(None, (change.reason, kind.leaves(found))))
    refused = kind.guard(found, intent)
    if refused:
        change.action, change.reason = "blocked", f"{refused} ({parting})" if parting else refused
    return change


def _foreign(kind: Kind, found: Found, in_the_way: bool) -> Change:
    reason = "has this stack's tags, but was not made by it" if "mlinfra:stack" in found.tags else "is somebody else's"
    return Change(kind.name, found.name, "foreign", f"{reason}: never changed", _shown(found), _shown(found), found.id, None, found)


def _shown(found: Found) -> dict[str, Any]:
    return plain({**found.state})


def _bounded(changes: list[Change], intent: Intent, seen: Observed) -> list[Change]:
    """More deletions than ``max_delete`` allows: none of them is carried out. What ends with its update counts as one."""
    going = [change for change in changes if change.action in ("delete", "replace") and not BY_NAME[change.kind].transient]
    for change in [one for one in changes if one.action == "update"]:
        ending = BY_NAME[change.kind].ending(change, seen)
        if ending:
            change.reason = ending
            going.append(change)
    limit = intent.control.max_delete
    if not intent.absent and len(going) > limit:
        for change in going:
            change.action, change.reason = (
                "blocked",
                f"max_delete is {limit} and {len(going)} would be deleted or replaced ({change.reason})",
            )
    return changes


def refuse_blocked(changes: Iterable[Change]) -> None:
    """:raises StackError: the plan has something that must not be carried out."""
    blocked = [change for change in changes if change.action == "blocked"]
    if not blocked:
        return
    lines = "; ".join(f"{change.kind} {change.name} ({change.id}): {change.reason}" for change in blocked[:5])
    more = f"; and {len(blocked) - 5} more" if len(blocked) > 5 else ""
    too_many = [change for change in blocked if change.reason.startswith("max_delete")]
    hint = f"Set max_delete to {len(too_many)} if that is what you want" if too_many else "Nothing was changed"
    raise StackError(f"the plan is blocked: {lines}{more}", hint, blocked=[change.public() for change in blocked])


def plan_id(intent: Intent, seen: Observed, changes: Iterable[Change]) -> str:
    """Names the plan: the wish, the ids of images that are launched from, what is done to what. No times, prices or chosen offers."""
    acting = [change for change in changes if change.acts or change.action == "blocked"]
    launched = {change.wish.make["pool"].name for change in acting if change.kind == "instance" and change.action in ("create", "replace")}
    content = {
        "wish": _wish(intent.stack),
        "state": intent.control.state,
        "images": {pool: seen.images[pool].id for pool in sorted(launched)},
        "actions": sorted([change.kind, change.name, change.action, change.id or ""] for change in acting),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_PLAN_ID]


def _wish(stack: Stack) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(stack), sort_keys=True))


def summary(changes: Iterable[Change]) -> dict[str, int]:
    return dict(sorted(Counter(change.action for change in changes).items()))


def diff(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """For Ansible's diff mode: only what changes."""
    return [
        {
            "before_header": f"{change.kind} {change.name}" + (f" ({change.id})" if change.id else ""),
            "after_header": f"{change.kind} {change.name} ({change.action})",
            "before": change.before or {},
            "after": change.after or {},
        }
        for change in changes
        if change.acts
    ]
