# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Looks at the host, decides, and runs what was decided: the same for Ansible and at a boot."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.instance_store import disks, plan

WISH = "/etc/mlinfra/instance_store.json"
# Where systemd and Ansible may start with a short PATH.
FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"
# More rounds than any plan has steps to look again after.
ROUNDS = 3


class Broken(Exception):
    """A step failed, or the host is not as decided afterwards; the message says what was done before."""


class Refused(Exception):
    """The wish cannot be had here; nothing was changed."""


def find(name):
    """Path of a program, None when it is missing."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + FOLDERS)


def stored():
    """The wish that was carried out last; None when there is none that can be read."""
    try:
        return json.loads(read(WISH))
    except ValueError:
        return None


def mount_point(host, path):
    """{kind, entries, dev, uid, gid, mode} of a path; kind None where nothing is."""
    empty = {"kind": None, "entries": 0, "dev": None, "uid": None, "gid": None, "mode": None}
    try:
        status = os.stat(path)
    except OSError:
        return empty
    if not stat.S_ISDIR(status.st_mode):
        return dict(empty, kind="file")
    dev = host.mounted_at(path)
    return {
        "kind": "directory",
        "entries": 0 if dev else len(os.listdir(path)),
        "dev": dev,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
    }


def has_raid(run):
    """Whether the kernel has md; mdadm loads its module."""
    return os.path.exists("/proc/mdstat") or run(["modprobe", "--dry-run", "--quiet", "md_mod"])[0] == 0


def look(wish, run, root="/"):
    """What plan.decide calls seen."""
    host = disks.Host(run, root)
    given = wish["devices"] or ["/dev/" + name for name in disks.instance_store(root)]
    found = [(path, host.disk(path)) for path in given]
    here = list({disk["name"]: disk for unused, disk in found if disk}.values())
    arrays = sorted({name for disk in here for name in disk["holders"] if name.startswith("md")})
    return {
        "missing": [path for path, disk in found if not disk],
        "disks": here,
        "arrays": [host.array(name) for name in arrays],
        "point": mount_point(host, wish["mount_point"]),
        "stored": stored(),
        "raid": len(here) < 2 or has_raid(run),
        "programs": [name for name in plan.programs(wish, len(here)) if not find(name)],
    }


def act(wish, run, seen):
    """Carry out; returns what was done. :raises Refused, Broken:"""
    done = []
    for _round in range(ROUNDS):
        decided = plan.decide(wish, seen)
        if decided["problems"]:
            raise (Broken if done else Refused)("\n".join(decided["problems"] + told(done)))
        if not decided["steps"]:
            return done
        for step in decided["steps"]:
            carry_out(run, step, done)
            if step.get("look_again"):
                break
        seen = look(wish, run)
    left = [step["what"] for step in plan.decide(wish, seen)["steps"]]
    raise Broken("\n".join(["The instance store is not as wished afterwards; still to be done: %s." % ", ".join(left), *told(done)]))


def told(done):
    return ["Done before: %s." % ", ".join(done)] if done else []


def carry_out(run, step, done):
    """Run one step. Devices of a new array or of a wiped disk can be busy for a moment, while udev looks at them."""
    for pause in (0.5, 1, 2, 0):
        code, out, err = run(step["argv"])
        if not code:
            done.append(step["what"])
            return
        if "busy" not in out + err or not pause:
            break
        time.sleep(pause)
    said = (err or out).strip().replace("\n", "; ") or "exit code %d" % code
    raise Broken("\n".join(["Cannot %s: %s says %s. Look at dmesg." % (step["what"], step["argv"][0], said), *told(done)]))
