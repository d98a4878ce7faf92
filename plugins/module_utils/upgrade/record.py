# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How far an upgrade of a host has come, as playbook upgrade writes it down on the host: pure functions over records.

A record is {schema: 1, stage, from: pins, to: pins, toolkit, touched, gpus: {address: health}, boot, failed, why, began, at}. Stages, in
order: `drain`, `install`, `reboot`, `verify`, `undrain`, `done`; and after a failure `rollback`, `rolled_back`, or `stranded` where the
way back failed. ``toolkit`` is the version of the container toolkit before, None where that stays; ``touched`` whether the driver may have
been exchanged; ``gpus`` is the health before; ``boot`` the boot in which `drain` or `rollback` began; ``failed`` the stage that `rollback`
came from.
"""

from __future__ import annotations

import calendar
import json
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins

SCHEMA = 1
DRAIN, INSTALL, REBOOT, VERIFY, UNDRAIN, DONE = FORWARD = ("drain", "install", "reboot", "verify", "undrain", "done")
ROLLBACK, ROLLED_BACK, STRANDED = BACK = ("rollback", "rolled_back", "stranded")
STAGES = FORWARD + BACK
# Stages in which an upgrade is still on its way to the new driver.
MOVING = (DRAIN, INSTALL, REBOOT, VERIFY)
CHANGING = (INSTALL, REBOOT, VERIFY)
CLOCK = "%Y-%m-%dT%H:%M:%SZ"


def parse(text):
    """The record in a file's text; None for none, and for what is no record."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or found.get("stage") not in STAGES:
        return None
    if any(pins.shape_problems(found.get(key)) for key in ("from", "to")) or not isinstance(found.get("gpus"), dict):
        return None
    found.setdefault("toolkit", None)
    found.setdefault("touched", is_touched(found))
    if not isinstance(found["toolkit"], (str, type(None))) or not isinstance(found["touched"], bool):
        return None
    times = [found.get(key) for key in ("began", "at")]
    return found if all(isinstance(one, str) and seconds_of(one) is not None for one in times) else None


def text(record):
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def following(old, wish, now, boot):
    """The record after a step; the old one itself where nothing is new.

    old: record or None; wish: {stage, from, to, toolkit, gpus, why}, of which only the stage has to be there when the upgrade goes on;
    now: text of CLOCK; boot: id of the running boot.
    """
    wish = {key: value for key, value in wish.items() if value is not None}
    same = old is not None and wish.get("to", old["to"]) == old["to"]
    if wish["stage"] == DRAIN and not (same and old["stage"] in MOVING):
        record = {"schema": SCHEMA, "from": wish["from"], "to": wish["to"], "toolkit": wish.get("toolkit"), "gpus": wish.get("gpus", {})}
        return dict(record, stage=DRAIN, touched=False, boot=boot, failed=None, why=None, began=now, at=now)
    record = dict(old, **{key: wish[key] for key in ("stage", "why") if key in wish})
    # It may be wished to move only now; what was there when it began to move is kept.
    record["toolkit"] = old.get("toolkit") or wish.get("toolkit")
    # Also while an upgrade that was stopped later is drained once more.
    record["touched"] = is_touched(old) or wish["stage"] in CHANGING
    if wish["stage"] == ROLLBACK and old["stage"] in MOVING:
        record.update(failed=old["stage"], boot=boot)
    return old if record == old else dict(record, at=now)


def seconds_of(clock):
    """Seconds since 1970; None for what is no time."""
    try:
        return calendar.timegm(time.strptime(clock, CLOCK))
    except ValueError:
        return None


def took(record):
    """Seconds from the beginning to the last step."""
    return max(0, seconds_of(record["at"]) - seconds_of(record["began"]))


def is_touched(record):
    """Whether the driver may have been exchanged since ``boot``: not where an upgrade ended before it was installed."""
    # A record of release 0.4 and before has no such word.
    return record.get("touched", record["stage"] in CHANGING or record["stage"] in BACK and record.get("failed") != DRAIN)


def problems(old, wish):
    """Messages about a step that cannot be written."""
    if wish["stage"] == DRAIN:
        found = ["%s is missing: stage drain begins an upgrade and wants it." % key for key in ("from", "to") if wish.get(key) is None]
        for key in ("from", "to"):
            found += ["%s: %s" % (key, one) for one in (pins.shape_problems(wish[key]) if wish.get(key) is not None else [])]
        return found
    if old is None:
        return ["stage is %s: no upgrade was begun on this host. Begin with stage drain." % wish["stage"]]
    if wish.get("to") is not None and wish["to"] != old["to"]:
        return [
            "stage is %s: the upgrade that was begun is to driver %s, and to is of %s. Begin with stage drain."
            % (wish["stage"], old["to"]["driver"]["version"], (wish["to"].get("driver") or {}).get("version"))
        ]
    return []
