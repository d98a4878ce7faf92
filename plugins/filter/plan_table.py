# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_table
short_description: A plan as lines for people
version_added: 0.1.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Turns the result of M(mlinfra.hosts.aws_stack) into a few aligned lines. What is kept is counted, and listed only where something is
    to be said of it, such as that it is outdated or not declared any more.
  - What stands in the way of a launch comes after the changes, unless the plan has been carried out; checks that passed are counted.
positional: _input
options:
  _input:
    description: What M(mlinfra.hosts.aws_stack) returned.
    type: dict
    required: true
  done:
    description: Whether the plan has been carried out, for the words.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ aws_stack_result | mlinfra.hosts.plan_table }}"
"""

RETURN = r"""
_value:
  description: A line on the whole, a line for each change, lines on what stands in the way of launches, and one with the plan's id.
  type: list
  elements: str
  sample:
    - "Account 123456789012, us-east-1: 1 to create, 1 to update, 11 to keep"
    - "create  bucket    artifacts  vision-dev-artifacts-123456789012"
    - "update  instance  train-0    tags differ"
    - "plan_id 3f6c1d0a9b7e4c55"
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

# what needs the reader's eye comes first
_ORDER = ("blocked", "foreign", "delete", "replace", "create", "adopt", "update", "pending")
_DONE = {"delete": "deleted", "replace": "replaced", "create": "created", "adopt": "adopted", "update": "updated", "keep": "kept"}
# why something goes that needs no word: it was asked for
_PLAIN_ENDS = ("the stack is to be absent", "not declared any more")
_PREPAID = ("reservation", "capacity_block")
# What tells one new resource from another; any kind has few of them.
_TELLING = ("bucket_name", "repository_name", "instance_type", "cidr", "zone", "market")


def plan_table(result: Any, done: bool = False) -> list[str]:
    if not isinstance(result, Mapping) or not isinstance(result.get("plan"), list):
        raise AnsibleFilterError("plan_table wants all that mlinfra.hosts.aws_stack returned, with its plan. Register it and pass it.")
    shown = [change for change in result["plan"] if change["action"] != "keep" or _remarkable(change)]
    shown.sort(key=lambda change: _ORDER.index(change["action"]) if change["action"] in _ORDER[:2] else len(_ORDER))
    words = _DONE if done else {}
    prices = _prices(result)
    rows = [
        (words.get(change["action"], change["action"]), change["kind"], str(change["name"]), _detail(change, prices)) for change in shown
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]).rstrip() for row in rows]
    return [
        _headline(result, any(change["action"] != "keep" for change in shown), done),
        *lines,
        *_bound(result["plan"]),
        *_cost(result, prices, done),
        *([] if done else _preflight(result)),
        f"plan_id {result['plan_id']}",
    ]


def _remarkable(change: Mapping) -> bool:
    """Whether a resource that stays has something that costs money or attention; that a reference exists is no news."""
    reason = str(change.get("reason") or "")
    return bool(reason) and not reason.startswith("exists already")


def _preflight(result: Mapping) -> list[str]:
    """What is not as it should be, worst first, and how many checks passed."""
    found = result.get("preflight") or []
    shown = [one for verdict in ("refused", "warning", "unknown") for one in found if one["verdict"] == verdict]
    passed = sum(1 for one in found if one["verdict"] == "ok")
    lines = [f"preflight {one['verdict']}: {one['path']}: {one['text']}" for one in shown]
    return [*lines, *([f"preflight: {passed} of {len(found)} checks passed"] if found else [])]


def _bound(plan: list) -> list[str]:
    """How to let deletions happen that the bound on them keeps from it."""
    bounded = [change for change in plan if change["action"] == "blocked" and str(change.get("reason")).startswith("max_delete ")]
    return [f"to carry it out all the same: aws_stack_max_delete: {len(bounded)}"] if bounded else []


def _prices(result: Mapping) -> dict[tuple, float]:
    """(type, zone, market) → USD an hour, of all offers whose price is known."""
    offers = [offer for each in (result.get("offers") or {}).values() for offer in each]
    return {_offer(offer): offer["usd_per_hour"] for offer in offers if offer.get("usd_per_hour") is not None}


def _offer(one: Mapping) -> tuple:
    return one.get("instance_type"), one.get("zone"), one.get("market")


def _first(change: Mapping, offers: Mapping) -> Mapping:
    """The offer that an instance is launched from first. A successor's line has only what differs: its pool's name is in its own."""
    after = change.get("after") or {}
    if change["action"] == "create":
        return after
    return next(iter(offers.get(str(change["name"]).rpartition("-")[0]) or ()), after)


def _cost(result: Mapping, prices: Mapping, done: bool) -> list[str]:
    """What the instances that are launched cost by the hour, at the first of their offers."""
    launched = [change for change in result["plan"] if change["kind"] == "instance" and change["action"] in ("create", "replace")]
    if done or not launched:
        return []
    made = [_first(change, result.get("offers") or {}) for change in launched]
    bought = [_offer(one) for one in made if one.get("market") not in _PREPAID]
    known = [prices[offer] for offer in bought if offer in prices]
    lack = f", and {len(bought) - len(known)} without a known price" if len(known) < len(bought) else ""
    paid = f", and {len(made) - len(bought)} into what is paid for already" if len(bought) < len(made) else ""
    return [f"launches {len(made)}: {sum(known):.2f} USD an hour at the first offers{lack}{paid}"]


def _headline(result: Mapping, changes: bool, done: bool) -> str:
    counts = result.get("summary") or {}
    parts = [f"{counts[action]} {_verb(action, done)}" for action in (*_ORDER, "keep") if counts.get(action)]
    whole = ", ".join(parts) if parts else "nothing there"
    return f"Account {result['account_id']}, {result['region']}: {'' if changes else 'nothing to change, '}{whole}"


def _verb(action: str, done: bool) -> str:
    if action in ("blocked", "foreign", "pending"):
        return action
    return _DONE[action] if done else f"to {action}"


def _detail(change: Mapping, prices: Mapping) -> str:
    """What it is for a new resource, which one it is for one that goes, the reason for anything else."""
    before, after = change.get("before") or {}, change.get("after") or {}
    if change["action"] == "create":
        told = [str(after[key]) for key in _TELLING if after.get(key)]
        told += [f"{prices[_offer(after)]:g} USD/h"] if _offer(after) in prices else []
        return " ".join([*told, *([f"leased until {after['expires']}"] if after.get("expires") else [])])
    if change["action"] == "delete":
        why = "" if str(change.get("reason")) in _PLAIN_ENDS else str(change.get("reason") or "")
        return f"{change.get('id') or ''} {why}".strip()
    if change["action"] == "keep":
        return f"{change.get('id') or ''} {change['reason']}".strip()
    reason = " ".join(str(change.get("reason") or "").split())
    if change["action"] != "update":
        return reason
    differs = [key for key in after if _plain(before.get(key)) and _plain(after[key]) and before.get(key) != after[key]]
    values = ", ".join(f"{key}: {before.get(key)} → {after[key]}" for key in differs)
    return f"{reason} ({values})" if reason and values else reason or values


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"plan_table": plan_table}
