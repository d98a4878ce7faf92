# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a GPU can be relied on, from what the bus and nvidia-smi say of it.

* ``failed``: off the bus, not shown by nvidia-smi, in need of a reset or a restart, or without rows or SRAM to go on with: not for jobs.
* ``degraded``: works, and something waits for a reset, has happened since the last one, or slows it down.
* ``healthy``: says nothing of that kind, and has said enough to be believed.
* ``unknown``: could not be asked, or an answer that decides could not be read.

What counts: NVIDIA GPU Memory Error Management (row remapping, page retirement, SRAM threshold) and the descriptions of
gpu_recovery_action, fabric and clocks event reasons in nvidia-smi(1). Elements that say `Yes` under a name like those that are known
count wherever they stand, so that a new schema hides no fault.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import values

HEALTHY, DEGRADED, FAILED, UNKNOWN = "healthy", "degraded", "failed", "unknown"
RANK = (HEALTHY, UNKNOWN, DEGRADED, FAILED)
GRAVE, WAITING = re.compile(r"failure|exceeded|reset_required"), re.compile(r"pending|recommended|unhealthy")
# Settings that wait for a reset are Enabled or Disabled, and are no fault.
YES = ("yes", "true")
UNCORRECTED = re.compile(r"uncorrectable")
LOST = re.compile(r"gpu is lost|requires reset|reset required|fallen off the bus")
SLOW = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown")
# What an element must be about for an unreadable answer to matter.
DECIDING = re.compile(
    r"ecc_errors|remapped_row|retired_pages|retirement|reset|recovery|fabric|uuid|fb_memory_usage/total|uncorrectable|slowdown"
)
GOOD_FABRIC = {"completed", "not supported"}


def worse(one, other):
    return max(one, other, key=RANK.index)


def of_document(element):
    """[(state, reason)] of whatever in a <gpu> says that something is wrong, by the names of its elements."""
    found = []
    parents = {below: above for above in element.iter() for below in above}
    for below in element.iter():
        if len(below) or not isinstance(below.tag, str):
            continue
        tag, said = below.tag.lower(), (below.text or "").strip()
        plain = said.lower().strip("[]")
        if LOST.search(plain):
            found.append((FAILED, "nvidia-smi says %s" % said[: values.SHOWN]))
        elif values.BROKEN.search(plain):
            found.append((UNKNOWN, "nvidia-smi says %s for %s" % (said[: values.SHOWN], tag)))
        elif plain in YES:
            if GRAVE.search(tag):
                found.append((FAILED, "nvidia-smi says %s for %s" % (said, tag)))
            elif WAITING.search(tag):
                found.append((DEGRADED, "nvidia-smi says %s for %s" % (said, tag)))
        elif UNCORRECTED.search(tag) and values.whole(plain) and since_reset(below, parents):
            found.append((DEGRADED, "%s since the driver was loaded: %s" % (tag, plain)))
    return found


def since_reset(element, parents):
    """Whether a count is of the time since the driver was loaded, not of the GPU's life."""
    while element in parents:
        element = parents[element]
        if str(element.tag).startswith("aggregate"):
            return False
    return True


def of_details(seen):
    """[(state, reason)] of what details.look() has read."""
    found = []
    remaps, pages, asked, fabric = seen["row_remaps"] or {}, seen["retired_pages"] or {}, seen["recovery"], seen["fabric"]
    if remaps.get("exhausted_banks"):
        found.append((DEGRADED, "%d banks of memory have no spare row left" % remaps["exhausted_banks"]))
    if pages.get("double_bit"):
        found.append((DEGRADED, "%d pages of memory are retired after double bit errors" % pages["double_bit"]))
    if (seen["ecc"]["volatile"]["uncorrected"] or 0) > 0:
        found.append((DEGRADED, "%d uncorrected memory errors since the driver was loaded" % seen["ecc"]["volatile"]["uncorrected"]))
    action = (asked["action"] or "none").lower()
    if action != "none":
        found.append((DEGRADED if "drain" in action else FAILED, "the driver asks for: %s" % asked["action"]))
    if fabric:
        found += of_fabric(fabric)
    for reason in seen["now"]["throttle_reasons"] or []:
        if reason in SLOW:
            found.append((DEGRADED, "its clocks are held back: %s" % reason))
    return found


def of_fabric(fabric):
    """Without a completed registration CUDA does not start on a GPU that has an NVSwitch."""
    found = []
    state, status, health = (fabric["state"] or "").lower(), (fabric["status"] or "").lower(), fabric["health"]
    if state and state not in GOOD_FABRIC:
        found.append((FAILED, "its NVLink fabric is not ready: %s" % fabric["state"]))
    elif status and status != "success":
        found.append((FAILED, "its NVLink fabric says %s" % fabric["status"]))
    for name in sorted(health):
        if health[name].lower() in ("degraded", "unhealthy", "limited capacity", "true", "yes", "in progress", "failed"):
            found.append((DEGRADED, "NVLink fabric %s: %s" % (name, health[name])))
    return found


def enough(seen):
    """Whether it has said enough to be called healthy: who it is, how large, and at least one thing about its state."""
    if seen["uuid"] is None or not seen["memory_mib"]:
        return False
    said = [seen["ecc"]["volatile"]["uncorrected"], seen["row_remaps"], seen["retired_pages"], *seen["recovery"].values()]
    return any(value is not None for value in said)


def decides(what):
    """Whether the verdict would need what could not be read. Names and sizes of a GPU's parts it does not need."""
    return DECIDING.search(what) is not None and ("mig_device" not in what or UNCORRECTED.search(what) is not None)


def judge(findings, notes, seen):
    """{state, reasons}. findings: [(state, reason)]; notes: {what, why} of what could not be read; seen: details or None."""
    state, reasons = HEALTHY, []
    for found, reason in findings:
        state = worse(state, found)
        if reason not in reasons:
            reasons.append(reason)
    undecided = [note for note in notes if decides(note["what"])]
    if undecided:
        state = worse(state, UNKNOWN)
        reasons += ["%s: %s" % (note["what"], note["why"]) for note in undecided]
    elif seen is not None and not enough(seen) and state == HEALTHY:
        state = UNKNOWN
        reasons.append("nvidia-smi says too little of it")
    return {"state": state, "reasons": reasons}
