# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What systemd runs at each boot, from the copy of this code that the module leaves on the host.

No instance outlives a boot, and on Hopper and later not even MIG's mode does (NVIDIA MIG User Guide, "Enable MIG Mode").
"""

from __future__ import annotations

import shutil
import sys
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import running
from ansible_collections.mlinfra.hosts.plugins.module_utils.mig import carry, plan, reading

# The driver's modules may still be loading; a GPU takes seconds to initialize.
WAIT_SECONDS = 60
STEP_SECONDS = 120


def run(argv):
    """(code, output, errors) of a program; one that hangs, as a lost GPU makes it, ends with code 124."""
    path = shutil.which(argv[0]) or argv[0]
    outcome = running.run([path, *argv[1:]], STEP_SECONDS)
    if outcome.problem:
        return 127 if "cannot be run" in outcome.problem else 124, outcome.out, outcome.problem
    return outcome.code, outcome.out, outcome.err


def look():
    """The GPUs, once the driver answers. :raises reading.Unreadable: it did not in time"""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return reading.look(run)
        except reading.Unreadable:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def main():
    layout = carry.stored()
    if layout is None:
        sys.stderr.write("%s is missing or damaged: run role mlinfra.hosts.mig again" % carry.WISH + "\n")
        return 1
    try:
        gpus = look()
        decided, found = plan.decide(layout, gpus), carry.specifications() if shutil.which(carry.CTK) else []
        due = decided["steps"] or carry.is_stale(found, plan.devices(decided["targets"], gpus))
        done, waiting = carry.act(layout, run, gpus, found if due else [])
    except (carry.Refused, carry.Broken, reading.Unreadable) as error:
        sys.stderr.write(str(error) + "\n")
        return 1
    sys.stdout.write(("\n".join(done) or "the layout is as it shall be") + "\n")
    if waiting:
        sys.stderr.write("waiting for another reboot: GPU %s" % ", ".join(map(str, waiting)) + "\n")
    return 1 if waiting else 0


if __name__ == "__main__":
    raise SystemExit(main())
