# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Block devices as sysfs, mountinfo and blkid show them.

A disk is {path, given, name, dev, model, serial, size, read_only, partition, partitions, holders, mounts, swap, busy, signature}.
given: how the wish names it; size: bytes; dev: major:minor; signature: {type, label, uuid} of what is on it, None when blkid finds nothing.
Source of the model's name: AWS, EC2 user guide, "Instance store volumes" (nvme list).
"""

from __future__ import annotations

import errno
import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

INSTANCE_STORE = "Amazon EC2 NVMe Instance Storage"
EBS = "Amazon Elastic Block Store"
SECTOR = 512


def entries(path):
    """Names in a folder, sorted; none when it is missing."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def is_namespace(name):
    """Whether this is a disk of NVMe itself, not one path of a multipath one (nvme0c0n1)."""
    return bool(re.match(r"^nvme\d+n\d+$", name))


def instance_store(root="/"):
    """Names of the instance store's disks, in order of their numbers."""
    block = os.path.join(root, "sys/block")
    found = [name for name in entries(block) if is_namespace(name) and model(root, name) == INSTANCE_STORE]
    return sorted(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])


def model(root, name):
    return read(os.path.join(root, "sys/block", name, "device/model")).strip()


def mounts(text):
    """{major:minor: [mount point]} of /proc/self/mountinfo; spaces there are written as octal (proc(5))."""
    found = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), fields[4])
            found.setdefault(fields[2], []).append(point)
    return found


def signature(code, out):
    """What blkid -p -o export says is on a device; None for a blank one. Exit codes: blkid(8)."""
    if code == 2:
        return None
    if code == 8:
        return {"type": "several signatures at once", "label": None, "uuid": None}
    if code:
        return {"type": "something that blkid cannot read", "label": None, "uuid": None}
    said = dict(line.replace("\\", "").split("=", 1) for line in out.splitlines() if "=" in line)
    kind = said.get("TYPE") or (said["PTTYPE"] + " partition table" if said.get("PTTYPE") else "something unknown")
    return {"type": kind, "label": said.get("LABEL"), "uuid": said.get("UUID")}


def in_use(path):
    """Whether the kernel has the device open for itself or another program alone: mounted (in any namespace), in an array, swap."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


class Host:
    """run: function of a command that returns (code, output, errors)."""

    def __init__(self, run, root="/"):
        self.run = run
        self.root = root
        lines = read(os.path.join(root, "proc/self/mountinfo"))
        self.mounts = mounts(lines)
        # What was mounted later covers what is below it, and is listed later.
        self.uppermost = {point: dev for line in lines.splitlines() for dev, points in mounts(line).items() for point in points}
        self.swaps = [os.path.realpath(line.split()[0]) for line in read(os.path.join(root, "proc/swaps")).splitlines()[1:] if line]

    def disk(self, given):
        """A disk by its path; None when there is no such block device."""
        path = os.path.realpath(given)
        name = os.path.basename(path)
        folder = os.path.join(self.root, "sys/class/block", name)
        if not os.path.isdir(folder):
            return None
        dev = read(os.path.join(folder, "dev")).strip()
        parts = [one for one in entries(folder) if os.path.exists(os.path.join(folder, one, "partition"))]
        inside = [dev] + [read(os.path.join(folder, one, "dev")).strip() for one in parts]
        nodes = [path] + [os.path.join(os.path.dirname(path), one) for one in parts]
        holders = [one for part in ["", *parts] for one in entries(os.path.join(folder, part, "holders"))]
        code, out, unused = self.run(["blkid", "-p", "-o", "export", path])
        return {
            "path": path,
            "given": given,
            "name": name,
            "dev": dev,
            "model": model(self.root, name),
            "serial": read(os.path.join(folder, "device/serial")).strip() or None,
            "size": int(read(os.path.join(folder, "size")).strip() or 0) * SECTOR,
            "read_only": read(os.path.join(folder, "ro")).strip() == "1",
            "partition": os.path.exists(os.path.join(folder, "partition")),
            "partitions": parts,
            "holders": sorted(set(holders)),
            "mounts": [point for one in inside for point in self.mounts.get(one, [])],
            "swap": any(node in self.swaps for node in nodes),
            "busy": in_use(path),
            "signature": signature(code, out),
        }

    def array(self, name):
        """An md array: a disk with members, the names of its disks."""
        return dict(self.disk("/dev/" + name), members=entries(os.path.join(self.root, "sys/class/block", name, "slaves")))

    def mounted_at(self, point):
        """major:minor of what is mounted at a path, the uppermost; None when nothing is."""
        return self.uppermost.get(os.path.realpath(point))
