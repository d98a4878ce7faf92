#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_store
short_description: One file system on the NVMe instance store of a host, made again at each boot that finds it empty
version_added: 0.5.0
description:
  - Finds the disks by their model, C(Amazon EC2 NVMe Instance Storage), or takes those that O(devices) names. Makes one file system on
    them, in a RAID 0 when there are several, and mounts it.
  - Formats a disk only when nothing at all is on it. One with a file system, partitions, a member of an array, or in any use is
    refused, unless it is ours (label C(mlinfra-data)) and as wished, or O(wipe) names it. A disk in use is refused even then.
  - An instance that was stopped comes back with empty disks, so a unit of systemd, C(mlinfra-instance-store.service), does the same at
    each boot before C(local-fs.target), from a copy of this code below C(/usr/local/lib/mlinfra). At a boot nothing is ever wiped. A
    failure there does not keep the host from starting.
  - A host without such disks is left as it is.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes]
attributes:
  check_mode:
    support: full
    details: Works where the programs are not installed yet.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  devices:
    description:
      - Whole disks to take instead of EC2's instance store, on machines of your own. Paths that stay the same from boot to boot, as those
        below C(/dev/disk/by-id). EBS volumes are refused.
    type: list
    elements: path
    default: []
  filesystem:
    description: Which file system.
    type: str
    choices: [xfs, ext4]
    default: xfs
  mount_point:
    description: Absolute path of the folder that it is mounted on. It is made when it is missing, and refused when anything is in it.
    type: path
    required: true
  mount_options:
    description: Options of the mount, as in mount(8). Others than last time are applied by a remount.
    type: list
    elements: str
    default: [noatime]
  owner:
    description: User that the top folder of the file system belongs to.
    type: str
    default: root
  group:
    description: Group of it.
    type: str
    default: root
  mode:
    description: Its mode, in octal digits.
    type: str
    default: "0755"
  wipe:
    description:
      - Serial numbers (or, of O(devices), paths) of disks that may be wiped when they are not as wished. One that is ours and as wished
        already is not wiped, so the list can stay.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have /data on the instance store
  mlinfra.hosts.instance_store:
    mount_point: /data
    mode: "1777"
  become: true

- name: Have it on two disks of a machine that is not EC2's
  mlinfra.hosts.instance_store:
    devices: [/dev/disk/by-id/nvme-SAMSUNG_1, /dev/disk/by-id/nvme-SAMSUNG_2]
    filesystem: ext4
    mount_point: /data
  become: true
"""

RETURN = r"""
wanted:
  description: Whether something had to be changed; the same as C(changed), for tasks that say themselves what counts as a change.
  returned: success
  type: bool
disks:
  description: The disks that make up the file system; empty where there are none, and then nothing was done.
  returned: success
  type: list
  elements: dict
  sample: [{path: /dev/nvme1n1, serial: AWS22A1B2C3D4E5F6A7B, bytes: 3750000000000, state: blank}]
steps:
  description: What was done, or would be, in order.
  returned: success
  type: list
  elements: str
  sample: [make xfs on /dev/nvme1n1, mount /dev/nvme1n1 at /data]
files:
  description: Files of the unit that were written, or would be.
  returned: success
  type: list
  elements: str
device:
  description: Disk or array that is mounted; null where there are no disks.
  returned: success
  type: str
  sample: /dev/nvme1n1
programs_missing:
  description: Programs that have to be installed first. Outside of check mode the module fails when there are any.
  returned: success
  type: list
  elements: str
  sample: [mkfs.xfs, mdadm]
"""

import grp
import json
import os
import pwd
import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import kept_program
from ansible_collections.mlinfra.hosts.plugins.module_utils.instance_store import boot, carry, plan

ARGUMENTS = {
    "devices": {"type": "list", "elements": "path", "default": []},
    "filesystem": {"type": "str", "choices": ["xfs", "ext4"], "default": "xfs"},
    "mount_point": {"type": "path", "required": True},
    "mount_options": {"type": "list", "elements": "str", "default": ["noatime"]},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0755"},
    "wipe": {"type": "list", "elements": "str", "default": []},
}
UNIT = "mlinfra-instance-store.service"
PROGRAM = "instance_store.boot"
ORDERING = {
    "unit": [
        "DefaultDependencies=no",
        "Wants=local-fs-pre.target",
        "After=local-fs-pre.target systemd-remount-fs.service systemd-udev-trigger.service systemd-modules-load.service",
        "Before=local-fs.target umount.target shutdown.target",
        "Conflicts=umount.target shutdown.target",
    ],
    "timeout": "5min",
    "install": ["WantedBy=local-fs.target"],
}


def identity(lookup, name, option, what):
    """(number, message) of a user or group."""
    try:
        return lookup(name)[2], []
    except KeyError:
        return 0, ["instance_store_%s is %s: this host has no such %s. Make it first, or choose another." % (option, name, what)]


def wished(params):
    """(the wish as plan.decide takes it, messages about values that cannot be)."""
    uid, no_user = identity(pwd.getpwnam, params["owner"], "owner", "user")
    gid, no_group = identity(grp.getgrnam, params["group"], "group", "group")
    problems = no_user + no_group
    if not re.match(r"^[0-7]{3,4}$", params["mode"]):
        problems.append("instance_store_mode is %r: expected three or four octal digits, as in 0755." % params["mode"])
    point = os.path.normpath(params["mount_point"])
    if not point.startswith("/") or point == "/":
        problems.append(
            "instance_store_mount_point is %r: expected the absolute path of a folder other than /, as in /data." % params["mount_point"]
        )
    odd = [one for one in params["mount_options"] if not re.match(r"^[A-Za-z0-9_.:=/+-]+$", one)]
    if odd:
        problems.append("instance_store_mount_options has %r: expected options of mount(8), one an element, as in noatime." % odd[0])
    wish = {name: params[name] for name in ("devices", "filesystem", "mount_options", "wipe")}
    return dict(wish, mount_point=point, mode=params["mode"].zfill(4), uid=uid, gid=gid, boot=False), problems


def kept_files(wish, count):
    """{path: text} of what the boot wants. What may be wiped is no part of it: a boot wipes nothing."""
    kept = {name: wish[name] for name in wish if name not in ("wipe", "boot")}
    files = kept_program.copy(PROGRAM)
    # What the program is on, and what it mounts onto, may be file systems of their own.
    mounts = "RequiresMountsFor=%s %s %s" % (kept_program.FOLDER, os.path.dirname(carry.WISH), os.path.dirname(wish["mount_point"]))
    ordering = dict(ORDERING, unit=ORDERING["unit"] + [mounts])
    files[os.path.join(kept_program.UNITS, UNIT)] = kept_program.unit("File system on the instance store", PROGRAM, ordering)
    files[carry.WISH] = json.dumps(dict(kept, count=count), indent=1, sort_keys=True) + "\n"
    return files


def enable(files):
    """Write the files and switch the unit on. :raises carry.Broken:"""
    kept_program.write(files)
    problem = kept_program.enable(UNIT, boot.run)
    if problem:
        raise carry.Broken(problem)


def run(module):
    wish, problems = wished(module.params)
    seen = carry.look(wish, boot.run)
    decided = plan.decide(wish, seen)
    problems = problems + decided["problems"]
    if not os.path.isdir("/run/systemd/system"):
        problems.append("This host does not run systemd, which makes the file system again at a boot. Use a host that boots with it.")
    if problems:
        raise carry.Refused("\n".join(problems))
    if seen["programs"] and not module.check_mode:
        raise carry.Refused("%s missing on this host. Install them first; nothing was changed." % ", ".join(seen["programs"]))
    files = kept_files(wish, len(seen["disks"])) if seen["disks"] else {}
    due = kept_program.differing(files)
    enabled = not seen["disks"] or kept_program.is_enabled(UNIT, "local-fs.target")
    changed = bool(decided["steps"] or due or not enabled)
    steps = [step["what"] for step in decided["steps"]] + ([] if enabled else ["enable " + UNIT])
    if changed and not module.check_mode:
        steps = carry.act(wish, boot.run, seen) + ([] if enabled else ["enable " + UNIT])
        enable(files)
    return {
        "changed": changed,
        "wanted": changed,
        "disks": [
            {"path": disk["path"], "serial": disk["serial"], "bytes": disk["size"], "state": plan.state(disk)} for disk in seen["disks"]
        ],
        "steps": steps,
        "files": due,
        "device": decided["target"],
        "programs_missing": seen["programs"],
        "diff": {"before": "", "after": "".join("%s\n" % line for line in [*steps, *("write " + path for path in due)])},
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module)
    except (carry.Refused, carry.Broken) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
