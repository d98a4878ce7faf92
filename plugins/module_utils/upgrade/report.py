# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""In which batches hosts are upgraded, and what became of them: pure functions."""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import decide, toolkit

WORK = (decide.UPGRADE, decide.UNDRAIN, decide.RETURN)
HEADINGS = ("host", "from", "to", "result", "seconds")
DONE, UNCHANGED, BACK, STRANDED, DRAINED, UNBEGUN = "upgraded", "unchanged", "returned", "not returned", "still drained", "not begun"
UNDRAINED = "not drained"
SILENT = "no answer"
# The driver stays, and only the pins are written.
PINNED, WOULD_PIN = "pinned", "would be pinned"
PREDICTED = {decide.UPGRADE: "would be upgraded", decide.UNDRAIN: "would be undrained"}
BAD = (BACK, STRANDED, DRAINED, UNDRAINED, SILENT)


def size(wished, total):
    """How many hosts a number or a percentage of ``total`` is, at least one. :raises ValueError:"""
    found = re.match(r"^([0-9]+)(%?)$", str(wished).strip())
    if not found or int(found.group(1)) < 1:
        raise ValueError("%s: expected a number of hosts, as in 2, or a part of them, as in 25%%." % wished)
    number = int(found.group(1))
    return max(1, min(total, total * number // 100) if found.group(2) else number)


def batches(actions, canary, batch):
    """Sizes of batches, one after the other over all hosts, so that each has its number of hosts with work to do.

    actions: of the hosts, in order. The first batch has ``canary`` of them, the others ``batch``; both as size() takes them.
    """
    total = len([one for one in actions if one in WORK])
    first, later = size(canary, total), size(batch, total)
    sizes, room = [], 0
    for action in actions:
        if not sizes or action in WORK and room == 0:
            room = later if sizes else first
            sizes.append(0)
        sizes[-1] += 1
        room -= action in WORK
    return sizes


def row(name, told, check):
    """{host, from, to, toolkit, result, seconds, why} of one host. told: {plan, outcome: {result, why, seconds}}, each may be missing.

    toolkit: {from, to}, None where it stays.
    """
    planned, outcome = told.get("plan") or {}, told.get("outcome") or {}
    action = planned.get("action")
    versions = {key: planned[key]["driver"]["version"] if planned.get(key) else None for key in ("from", "to")}
    idle = {decide.NONE: UNCHANGED, decide.SKIP: planned.get("words")}
    result = outcome.get("result") or idle.get(action)
    if result is None:
        result = PREDICTED.get(action, "would be returned") if check else SILENT if told.get("started") else UNBEGUN
    if action == decide.UPGRADE and decide.moves_nothing(planned.get("from"), planned.get("to"), planned.get("toolkit")):
        result = {DONE: PINNED, PREDICTED[action]: WOULD_PIN}.get(result, result)
    return dict(versions, host=name, toolkit=planned.get("toolkit"), result=result, seconds=outcome.get("seconds"), why=outcome.get("why"))


def summary(hosts, check=False):
    """{hosts: {name: row}, problems: [sentence], notes: [sentence], table: [line]}. hosts: {name: told}, in order; see row, notes."""
    rows = [row(name, told, check) for name, told in hosts.items()]
    problems = []
    for one, told in zip(rows, hosts.values()):
        if one["result"] in BAD:
            why = str(one["why"] or "It does not answer any more. Look at its console, and run the playbook again when it does").rstrip(".")
            problems.append("%s, %s: %s. %s." % (one["host"], move(told["plan"]), one["result"], why))
    left = [one["host"] for one in rows if one["result"] == UNBEGUN]
    if problems and left:
        problems.append("The run stopped there: %s %s not touched." % (", ".join(left), "was" if len(left) == 1 else "were"))
    told = notes([one for one in rows if hosts[one["host"]].get("forgets")])
    return {"hosts": {one["host"]: one for one in rows}, "problems": problems, "notes": told, "table": table(rows)}


def notes(rows):
    """What is left to do where configure would go by other pins than the upgrade. rows: of these hosts."""
    rows = [one for one in rows if one["result"] in (DONE, PINNED, UNCHANGED, WOULD_PIN, PREDICTED[decide.UPGRADE])]
    if not rows:
        return []
    options = "nvidia_driver_pins" + (" and container_runtime_nvidia_pins" if any(one["toolkit"] for one in rows) else "")
    hosts = ", ".join(one["host"] for one in rows[:5]) + (" and %d others" % (len(rows) - 5) if rows[5:] else "")
    told = "Give %s of %s the pins of this upgrade in the inventory: without, playbook configure goes back to what is set there now."
    return [told % (options, hosts)]


def move(planned):
    """What moves on a host, in words."""
    return toolkit.words(planned["from"], planned["to"], planned.get("toolkit"))


def table(rows):
    """Lines for people; with a column for the container toolkit where one moves."""
    told = [dict(one, toolkit="%(from)s to %(to)s" % one["toolkit"] if one["toolkit"] else None) for one in rows]
    headings = HEADINGS + (("toolkit",) if any(one["toolkit"] for one in told) else ())
    cells = [headings] + [tuple("" if one[key] is None else str(one[key]) for key in headings) for one in told]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
