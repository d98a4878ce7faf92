# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who uses EFA devices: the processes that have one open, and how often the kernel counts its module as used.

A job opens /dev/infiniband/uverbsN, of whichever adapter; /sys/class/infiniband_verbs/uverbsN/device/driver says whose it is. An open one
holds its driver's module (ib_uverbs_open, try_module_get: https://docs.kernel.org/infiniband/user_verbs.html, and the kernel's
drivers/infiniband/core/uverbs_main.c).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import open_files

CLASS, FOLDER = "/sys/class/infiniband_verbs", "/dev/infiniband"
UVERBS = re.compile(r"^%s/(uverbs\d+)$" % FOLDER)
DRIVER = "efa"


def look(host):
    """{processes: [{pid, program}], hidden, references}. host: gpu.reading.Host.

    hidden: how many processes could not be looked at; references is 0 where the module is not loaded.
    """
    processes, hidden = [], 0
    for pid, targets in open_files.each(host.path("/proc")):
        hidden += targets is None
        if any(is_efa(host, target) for target in targets or ()):
            program = host.text("/proc/%d/comm" % pid, 64).strip() or "a process"
            processes.append({"pid": pid, "program": program})
    count = host.text("/sys/module/%s/refcnt" % DRIVER, 64).strip()
    return {"processes": processes, "hidden": hidden, "references": int(count) if count.isdigit() else 0}


def known(found, container):
    """[{pid, program}] of those that a restart would end; None where it cannot be told whether there are any. found: see look.

    container: the module is the machine's outside, and so is who else uses it.
    """
    unseen = found["hidden"] or found["references"] and not container
    return None if unseen and not found["processes"] else found["processes"]


def is_efa(host, path):
    """Whether this is an EFA device's file; one whose driver sysfs does not say counts as one."""
    match = UVERBS.match(path)
    return bool(match) and (host.link("%s/%s/device/driver" % (CLASS, match.group(1))) or DRIVER) == DRIVER
