# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who uses the GPUs: by nvidia-smi, and where that does not say, as under a library of another driver than the loaded module's, by the
driver's device files that are open. A job that was there before such an exchange goes on with its old library, and must not be ended.

Device files: README of NVIDIA's Linux driver, chapter "Frequently Asked Questions" (how they are created); nvidia-caps: NVIDIA MIG User
Guide, "Device Nodes and Capabilities". Processes of containers have theirs below /dev, too. The kernel keeps 15 characters of a program's
name (proc(5), /proc/pid/comm).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import open_files

# A file that was made anew under a process, as an exchange of packages does, is shown as deleted.
DEVICE = re.compile(r"^/dev/(nvidia(\d+|ctl|-uvm|-uvm-tools|-modeset)|nvidia-caps/nvidia-cap\d+)( \(deleted\))?$")
# They have the files open and no work of their own on the GPUs: the driver's daemons, which a restart starts again, and monitors. A display
# server is no such one: somebody sits before it, and nvidia-smi counts it, too.
IDLE = frozenset(
    name[:15]
    for name in (
        "nvidia-persistenced", "nv-fabricmanager", "nvidia-imex", "nv-hostengine", "dcgm-exporter", "nvidia-smi", "nvidia-device-plugin",
        "gpu-feature-discovery",
    )
)  # fmt: skip
# Open files that are looked at at most: about two seconds (8 microseconds each, measured).
MOST = 250_000
# Whose users are told of: what to say where it is not known whether there are any.
HINTS = {
    "GPUs": "nvidia-smi does not say, and not all open files could be looked at; fuser -v /dev/nvidia* shows them",
    "EFA devices": "not all open files could be looked at, or the kernel counts module efa as used by what does not show here; "
    "see fuser -v /dev/infiniband/uverbs* and /sys/module/efa/refcnt",
}
# Processes that a message names; a job and its helpers may be hundreds.
NAMED = 8


def look(host, is_loaded, processes, note=None, most=MOST):
    """[{pid, program}] of those that use the GPUs, in order of pid; None where it cannot be told whether there are any.

    host: reading.Host; is_loaded: whether the driver's module is, without which nobody uses a GPU; processes: for each GPU what nvidia-smi
    says, [{pid, program}] or None; note: called with (what, why) of what could not be read.
    """
    if not is_loaded:
        return []
    named = {one["pid"]: one["program"] for per_gpu in processes for one in per_gpu or []}
    if processes and None not in processes:
        return listed(named)
    found, problem = by_open_files(host, most)
    found.update(named)
    if problem and note:
        note("/proc/*/fd", problem)
    # What was found is enough to leave the GPUs alone; nothing is only believed when all was looked at.
    return listed(found) if found or not problem else None


def listed(found):
    return [{"pid": pid, "program": found[pid]} for pid in sorted(found)]


def words(users, devices="GPUs"):
    """Half a sentence about what look() returned, as "2 processes use its GPUs (python3 pid 4711, python3 pid 4712)".

    devices: one of HINTS.
    """
    if users is None:
        return "it cannot be told whether processes use its %s (%s)" % (devices, HINTS[devices])
    who = ", ".join("%s pid %s" % (one["program"] or "unknown", one["pid"]) for one in users[:NAMED])
    who += " and %d more" % (len(users) - NAMED) if len(users) > NAMED else ""
    count = "%d processes use" % len(users) if len(users) > 1 else "1 process uses" if users else "no process uses"
    return "%s its %s%s" % (count, devices, " (%s)" % who if who else "")


def by_open_files(host, most):
    """({pid: program}, why not all could be looked at or None)"""
    found, seen, hidden, left = {}, [], 0, most
    for pid, targets in open_files.each(host.path("/proc")):
        seen.append(pid)
        hidden += targets is None
        for target in targets or ():
            left -= 1
            if DEVICE.match(target):
                program = host.text("/proc/%d/comm" % pid, 64).strip()
                if program not in IDLE:
                    found[pid] = program or None
                break
            if left <= 0:
                return found, "more than %d files are open" % most
    if 1 not in seen:
        return found, "it does not show the processes of others"  # no /proc, or one that is mounted with hidepid
    return found, "Permission denied for %d of %d processes" % (hidden, len(seen)) if hidden else None
