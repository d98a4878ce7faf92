# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be done with a host whose driver shall be upgraded, and whether the new one is good: pure functions.

Facts are mlinfra_gpu of module gpu_facts; pins are of schema 1 (resolve/pins.py); a record is how far an upgrade came (record.py).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import pinned
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import record as recorded
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import health, users
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names
from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import record as stages
from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import toolkit

NONE, SKIP, UPGRADE, UNDRAIN, RETURN, REFUSE = "none", "skip", "upgrade", "undrain", "return", "refuse"
POLICIES = ("if_required", "always")
SETTINGS = ("upgrade_retry", "upgrade_drains", "busy", "local", "upgrade_reboot", "toolkit")


def good_states(pins):
    """Driver states that are the end of an upgrade."""
    return ("coherent",) if pins["driver"]["flavor"] else ("coherent", "user_space_only")


def is_there(facts, pins):
    """Whether a host has exactly what is pinned, and needs no restart for it."""
    return (
        facts["pins"]["current"] == pins
        and facts["driver"]["installed"]["version"] == pins["driver"]["version"]
        and facts["driver_state"] in good_states(pins)
    )


def is_kept(facts, pins):
    """Whether apt's preferences are there: role nvidia_driver takes those of a distribution's driver away where it is given no pins."""
    return names.is_rpm(pins["platform"]) or facts["pins"].get("preferences", True)


def moves_nothing(before, pins, moved):
    """Whether the driver that is there stays as it is, and only its pins are written."""
    if not before or not pins or moved:
        return False
    one, other = of_driver(before), of_driver(pins)
    return all(one[key] == other[key] for key in ("driver", "kernels", "packages"))


def plan(name, facts, record, found, settings):
    """{action, problems, from, to, back, toolkit, gpus, resumes, words} for one host.

    found: what lookup driver_pins says of the wished pins; settings: {upgrade_retry, upgrade_drains, busy, local, upgrade_reboot, toolkit}.
    settings.toolkit and toolkit {from, to}: see toolkit.move.
    action: none (it has them), skip (no GPU), upgrade, undrain (only that is left), return (a way back that was stopped), refuse.
    back: the pins of the way back without what other roles install. resumes: the stage that a run before was stopped in, or null.
    """
    # The lookup speaks of the role's variable.
    told = [re.sub("^nvidia_driver_pins", "upgrade_pins", one) for one in found["problems"]]
    if settings["upgrade_reboot"] not in POLICIES:
        told.append("upgrade_reboot is %r: expected %s." % (settings["upgrade_reboot"], " or ".join(POLICIES)))
    if told:
        return answer(REFUSE, told)
    if not facts["present"]:
        return answer(SKIP, words="no NVIDIA GPU")
    decided = course(name, facts, record, found["pins"], settings)
    if decided["action"] == UPGRADE and settings["local"]:
        told.append(
            "%s is the machine that Ansible runs on: a reboot would stop this run. Upgrade it from another one, or leave it out with "
            "--limit." % name
        )
    # A host on its way has been drained before; whether it still is, the run looks at before it changes anything.
    if decided["action"] == UPGRADE and decided["resumes"] is None:
        told += busy(name, facts, settings)
    return dict(decided, action=REFUSE, problems=told) if told else decided


def course(name, facts, record, pins, settings):
    """See plan; what the record and the facts ask for."""
    stage, same = (record["stage"], record["to"] == pins) if record else (None, False)
    health_now = {one["address"]: one["health"]["state"] for one in facts["gpus"]}
    is_open = stage in stages.MOVING + (stages.ROLLBACK, stages.STRANDED)
    moved = toolkit.move(facts, pins, record if is_open else None, settings["toolkit"])
    if is_open:
        again = stage in stages.MOVING or not same or settings["upgrade_retry"] or not stages.is_touched(record)
        return answer(UPGRADE if again else RETURN, to=pins, before=record["from"], gpus=record["gpus"], resumes=stage, moved=moved)
    has_driver = is_there(facts, pins)
    if has_driver and is_kept(facts, pins) and toolkit.is_there(facts, moved):
        undrain = stage == stages.UNDRAIN and same
        return answer(UNDRAIN if undrain else NONE, to=pins, before=pins, gpus=health_now, resumes=stage if undrain else None)
    # Pins that were never tried, since the drain before them failed, are no bad ones.
    if stage == stages.ROLLED_BACK and same and not settings["upgrade_retry"] and stages.is_touched(record):
        return answer(
            REFUSE,
            [
                "%s was returned from its upgrade (%s) at %s: %s. Nothing was changed. Set upgrade_retry to true to try these pins "
                "again, give other upgrade_pins, or leave the host out with --limit."
                % (name, toolkit.words(record["from"], pins, moved), record["at"], str(record["why"]).rstrip("."))
            ],
        )
    told = no_way_back(name, facts)
    if told:
        return answer(REFUSE, told)
    current, previous = facts["pins"]["current"], facts["pins"]["previous"]
    # A driver that waits for its restart has the new pins already; one that stays, while the toolkit moves, goes nowhere.
    before = previous if current == pins and previous and not has_driver else current
    return answer(UPGRADE, to=pins, before=before, gpus=health_now, moved=moved)


def answer(action, problems=(), to=None, before=None, gpus=None, resumes=None, words=None, moved=None):
    """See plan."""
    moves = action in (UPGRADE, RETURN)
    return {
        "action": action,
        "problems": list(problems),
        "from": before,
        "to": to,
        "back": of_driver(before, moved) if before and moves else None,
        "toolkit": moved if moves else None,
        "gpus": gpus or {},
        "resumes": resumes,
        "words": words,
    }


def of_driver(pins, moved=None):
    """Pins with the packages of the driver and its kernels, and what goes along; and the toolkit's, where it would go back to those.

    moved: see toolkit.
    """
    kernels = recorded.driver_names(pins["platform"], pins["source"], pins["driver"]["version"], pins["driver"]["flavor"])
    besides = [name for name in sorted(pins["packages"]) if names.beside(name, pins["driver"]["branch"])]
    wanted = kernels + besides + pinned.of_kernels(pins) + toolkit.pinned(pins, moved)
    return dict(pins, cuda=None, packages=pinned.exact(pins, wanted))


def no_way_back(name, facts):
    """Messages about a host that could not be returned to what it has now."""
    installed, current = facts["driver"]["installed"], facts["pins"]["current"]
    if installed["version"] is None:
        return ["%s has no NVIDIA driver: there is nothing to upgrade. Run playbook configure with nvidia_driver_pins first." % name]
    if not installed["managed"]:
        return [
            "%s has driver %s, which role nvidia_driver did not install, so that no pins say how to return to it. Run playbook configure "
            "with nvidia_driver_existing set to take_over first." % (name, installed["version"])
        ]
    if current is None or current["driver"]["version"] != installed["version"]:
        there = "none" if current is None else "those of driver %s" % current["driver"]["version"]
        return [
            "%s has driver %s, and the pins that are written down there are %s: expected its own, to return to. Run playbook configure, "
            "which writes them." % (name, installed["version"], there)
        ]
    return []


def busy(name, facts, settings):
    """Messages about GPUs that are in use where nobody drains the host. What cannot be told counts as in use."""
    if facts["users"] == [] or settings["upgrade_drains"] or settings["busy"] == "proceed":
        return []
    return [
        "%s: %s. Nothing was changed. End them, set upgrade_drain_tasks to tasks that drain the host, or nvidia_driver_busy to proceed."
        % (name, users.words(facts["users"]))
    ]


def is_reboot_due(policy, facts, changed, record, boot, pins):
    """Whether the host has to be restarted now. changed: whether the driver was exchanged in this run; boot: id of the running one.

    The modules of a container belong to the machine outside, so a restart of it helps nothing and is only made when wished for.
    """
    if policy == "always":
        return bool(changed or stages.is_touched(record) and record["boot"] == boot)
    kernels = [one["release"] for one in pins["kernels"]] if pins["driver"]["flavor"] else []
    kernel = facts["kernel"]
    other = bool(kernels) and kernel["running"] not in kernels and kernel["newest_installed"] in kernels
    return not facts["container"] and (facts["driver_state"] == "reboot_pending" or other)


def verdict(name, facts, pins, gpus, wanted_toolkit=None):
    """Messages about what is wrong with the driver of a host, judged by facts alone. gpus: {address: health} before the upgrade.

    wanted_toolkit: version of the container toolkit, or None for any.
    """
    found, wanted, driver = [], pins["driver"]["version"], facts["driver"]
    if driver["installed"]["version"] != wanted:
        found.append("%s has driver %s installed: expected %s." % (name, driver["installed"]["version"], wanted))
    if facts["driver_state"] not in good_states(pins):
        expected = " or ".join(good_states(pins))
        reasons = "; ".join(facts["driver_reasons"])
        found.append("the driver of %s is in state %s: expected %s. %s." % (name, facts["driver_state"], expected, reasons))
    if pins["driver"]["flavor"] and driver["loaded"]["is_loaded"] and driver["loaded"]["version"] not in (wanted, None):
        found.append("%s has driver %s loaded: expected %s." % (name, driver["loaded"]["version"], wanted))
    found += toolkit.verdict(name, facts, wanted_toolkit)
    now = {one["address"]: one["health"] for one in facts["gpus"]}
    for address, was in sorted(gpus.items()):
        state = now.get(address, {"state": health.FAILED, "reasons": ["it is not there any more"]})
        if health.worse(state["state"], was) != was:
            found.append(
                "GPU %s of %s was %s before and is %s now: %s." % (address, name, was, state["state"], "; ".join(state["reasons"]))
            )
    return found
