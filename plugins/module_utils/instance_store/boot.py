# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What systemd runs at each boot, from the copy of this code that the module leaves on the host.

An instance that was stopped comes back with empty disks, and the file system is made again before anything wants it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.instance_store import carry, disks

# NVMe disks show up within a second or two of the kernel's start; another instance type may have fewer than there were.
WAIT_SECONDS = 30


def run(argv):
    """(code, output, errors) of a program."""
    environment = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":" + carry.FOLDERS)
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        return 127, "", str(error)
    return done.returncode, done.stdout, done.stderr


def wait(wish):
    """Until as many disks are there as there were, or the time is over."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = [path for path in wish["devices"] if os.path.exists(path)] if wish["devices"] else disks.instance_store()
        if len(found) >= wish["count"]:
            return
        time.sleep(0.2)


def main():
    wish = carry.stored()
    if not wish:
        sys.stderr.write("%s is missing or damaged: run role mlinfra.hosts.instance_store again" % carry.WISH + "\n")
        return 1
    wish = dict(wish, boot=True, wipe=[])
    wait(wish)
    seen = carry.look(wish, run)
    if not seen["disks"]:
        sys.stderr.write("this machine has no disks for %s any more" % wish["mount_point"] + "\n")
        return 1
    try:
        done = carry.act(wish, run, seen)
    except (carry.Refused, carry.Broken) as error:
        sys.stderr.write(str(error) + "\n")
        return 1
    sys.stdout.write(("\n".join(done) or "%s is as it shall be" % wish["mount_point"]) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
