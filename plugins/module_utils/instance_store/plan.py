# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be done for one file system on all disks of the instance store: pure.

wish: {filesystem, mount_point, mount_options, uid, gid, mode, wipe: [serial or path], boot}. boot: at a boot nobody can be asked, so
nothing is wiped then, and what a service wrote under the empty mount point is covered.
seen: {missing: [path], disks, arrays (see disks.py), point: {kind, entries, dev, uid, gid, mode}, stored: the wish that was carried out
last or None, raid: whether the kernel can, programs: [missing]}.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.instance_store.disks import EBS

# Twelve letters are what XFS has room for. It is how a later run, and the next boot, know what is ours.
LABEL = "mlinfra-data"
ARRAY = "/dev/md/" + LABEL
MEMBER = "linux_raid_member"
# EC2 trims instance store before it gives it away, so discarding it again costs minutes for nothing. Source: AWS, EC2 user guide,
# "SSD instance store volumes: TRIM support".
MAKE = {
    "xfs": ["mkfs.xfs", "-q", "-K", "-L", LABEL],
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard", "-L", LABEL],
}
PROGRAMS = {"xfs": "mkfs.xfs", "ext4": "mkfs.ext4"}
RAID_PROGRAM = "mdadm"


def programs(wish, count):
    """Programs that the wish takes for a number of disks."""
    return ([PROGRAMS[wish["filesystem"]]] if count else []) + ([RAID_PROGRAM] if count > 1 else [])


def label_is_ours(signature):
    """Whether a file system's or array's label is ours; an array's has the host's name in front."""
    return bool(signature) and (signature["label"] or "").split(":")[-1] == LABEL


def state(disk):
    """blank, member (of our array), filesystem (ours), or foreign."""
    found = disk["signature"]
    if not found and not disk["partitions"]:
        return "blank"
    if label_is_ours(found) and not disk["partitions"]:
        return "member" if found["type"] == MEMBER else "filesystem"
    return "foreign"


def named(disk):
    return disk["path"] + (" (serial %s)" % disk["serial"] if disk["serial"] else "")


def may_wipe(disk, wish):
    names = [name for name in (disk["serial"], disk["path"], disk["given"]) if name]
    return not wish["boot"] and any(name in wish["wipe"] for name in names)


def how_to_wipe(disk):
    return "Nothing was changed. If all that is on it may go, put %s into instance_store_wipe; or leave this disk out." % (
        disk["serial"] or disk["given"]
    )


def disk_problems(disk, ours):
    """Why a disk cannot be taken, whatever is on it. ours: names of our arrays."""
    who = named(disk)
    if disk["partition"]:
        return ["%s is a partition: instance_store_devices takes whole disks. Name the disk." % who]
    if disk["model"] == EBS:
        return ["%s is an EBS volume, which keeps its data over a stop: it is no instance store. Take it out of the list." % who]
    if not disk["size"]:
        return ["%s has no size: nothing is attached to it. Take it out of instance_store_devices." % who]
    if disk["read_only"]:
        return ["%s is read-only: it can have no file system of ours. Take it out of instance_store_devices." % who]
    others = [name for name in disk["holders"] if name not in ours]
    if others:
        return ["%s is in use by %s: it is never touched as long as it is. Stop that, or leave this disk out." % (who, ", ".join(others))]
    if disk["swap"]:
        return ["%s is swap: it is never touched as long as it is. Switch it off (swapoff), or leave this disk out." % who]
    if disk["mounts"] and state(disk) != "filesystem":
        where = ", ".join(disk["mounts"])
        return ["%s is mounted at %s: it is never touched as long as it is. Unmount it, or leave this disk out." % (who, where)]
    if disk["busy"] and not disk["mounts"] and not disk["holders"]:
        return ["%s is in use by something that this host does not show (a container, a device mapper): look for it (lsblk, fuser)." % who]
    return []


def decide(wish, seen):
    """{problems, steps, target, fresh}. fresh: whether a file system is made.

    steps: [{what, argv}] in order; one with look_again shows what was hidden before, so that the rest is decided anew after it.
    """
    ours = [one for one in seen["arrays"] if set(one["members"]) <= {disk["name"] for disk in seen["disks"]} and holds_ours(one, seen)]
    problems = ["%s is not there: expected a disk. Correct instance_store_devices, or attach it." % path for path in seen["missing"]] + [
        text for disk in seen["disks"] for text in disk_problems(disk, [one["name"] for one in ours])
    ]
    if not problems and seen["disks"]:
        body = one_disk(wish, seen["disks"][0]) if len(seen["disks"]) == 1 and not ours else many_disks(wish, seen, ours)
        problems += body["problems"]
        if not problems:
            place = at_mount_point(wish, seen, body)
            return dict(body, problems=place["problems"], steps=body["steps"] + place["steps"])
    return {"problems": problems, "steps": [], "target": None, "fresh": False}


def holds_ours(array, seen):
    """Whether all members of an array carry our name."""
    return all(state(disk) == "member" for disk in seen["disks"] if disk["name"] in array["members"])


def step(what, *argv):
    return {"what": what, "argv": list(argv)}


def result(steps=(), problems=(), target=None, fresh=False, volume=None):
    """volume: the disk or array as it is, when the file system is there already."""
    return {"steps": list(steps), "problems": list(problems), "target": target, "fresh": fresh, "volume": volume}


def file_system(wish, target):
    return step("make %s on %s" % (wish["filesystem"], target), *MAKE[wish["filesystem"]], target)


def wiped(disk):
    return step("wipe %s" % named(disk), "wipefs", "--all", disk["path"])


def kept(wish, volume, what):
    """A volume that has a file system: ours of the wished kind, or a problem (what: how to say whose)."""
    found = volume["signature"]
    if label_is_ours(found) and found["type"] == wish["filesystem"]:
        return result(target=volume["path"], volume=volume)
    return result(problems=["%s has %s: expected %s. %s" % (named(volume), found["type"], wish["filesystem"], what)])


def one_disk(wish, disk):
    now = state(disk)
    if now == "blank":
        return result([file_system(wish, disk["path"])], target=disk["path"], fresh=True)
    if now == "filesystem" and disk["signature"]["type"] == wish["filesystem"]:
        return result(target=disk["path"], volume=disk)
    if may_wipe(disk, wish) and not disk["mounts"]:
        return result([wiped(disk), file_system(wish, disk["path"])], target=disk["path"], fresh=True)
    return result(problems=[occupied(disk, wish)])


def occupied(disk, wish):
    """Message about a disk that has something on it. A partition table may be seen by the kernel alone."""
    found = disk["signature"] or {"type": "partitions " + ", ".join(disk["partitions"]), "label": None}
    label = " with label %s" % found["label"] if found["label"] else ""
    mounted = disk["mounts"] and may_wipe(disk, wish)
    then = "It is mounted at %s: unmount it first." % ", ".join(disk["mounts"]) if mounted else how_to_wipe(disk)
    if state(disk) == "foreign":
        return "%s has %s%s: a disk that has anything on it is not formatted. %s" % (named(disk), found["type"], label, then)
    why = "which does not fit the wish (%s on %s)" % (wish["filesystem"], "these disks together")
    return "%s has %s%s of an earlier run, %s. %s" % (named(disk), found["type"], label, why, then)


def many_disks(wish, seen, ours):
    disks = seen["disks"]
    if not seen["raid"]:
        text = "%d disks want RAID 0, and this kernel has no md: /proc/mdstat is missing and the module md_mod does not load. "
        return result(problems=[text % len(disks) + "Boot a kernel with it, or name one disk in instance_store_devices."])
    states = {state(disk) for disk in disks}
    uuids = {disk["signature"]["uuid"] for disk in disks if state(disk) == "member"}
    paths = [disk["path"] for disk in disks]
    if states == {"blank"}:
        return result([create(paths), file_system(wish, ARRAY)], target=ARRAY, fresh=True)
    whole = len(ours) == 1 and set(ours[0]["members"]) == {disk["name"] for disk in disks}
    if states == {"member"} and len(uuids) == 1 and whole:
        return in_array(wish, ours[0], disks)
    if states == {"member"} and len(uuids) == 1 and not ours:
        # What is on it is seen once it runs.
        start = step("start the array of %s" % ", ".join(paths), "mdadm", "--assemble", ARRAY, *paths)
        return result([dict(start, look_again=True)], target=ARRAY)
    return remade(wish, disks, ours)


def create(paths):
    raid = ["--level=0", "--raid-devices=%d" % len(paths), "--metadata=1.2", "--homehost=any", "--name=" + LABEL]
    return step("make RAID 0 of %s" % ", ".join(paths), "mdadm", "--create", ARRAY, "--run", *raid, *paths)


def in_array(wish, array, disks):
    """Our array runs; what it has on it decides."""
    if not array["signature"]:
        return result([file_system(wish, array["path"])], target=array["path"], fresh=True)
    if not array["mounts"] and all(may_wipe(disk, wish) for disk in disks) and kept(wish, array, "")["problems"]:
        return result([wiped(array), file_system(wish, array["path"])], target=array["path"], fresh=True)
    names = ", ".join(disk["serial"] or disk["given"] for disk in disks)
    return kept(wish, array, "Nothing was changed. If all that is on it may go, unmount it and put %s into instance_store_wipe." % names)


def remade(wish, disks, ours):
    """Disks that are not one array yet: blank ones, and others that may all be wiped."""
    taken = [disk for disk in disks if state(disk) != "blank"]
    kept_ones = [occupied(disk, wish) for disk in taken if not may_wipe(disk, wish) or disk["mounts"]]
    mounted = ["%s is mounted at %s. Unmount it first." % (one["path"], ", ".join(one["mounts"])) for one in ours if one["mounts"]]
    if kept_ones or mounted:
        return result(problems=kept_ones + mounted)
    paths = [disk["path"] for disk in disks]
    stops = [step("stop the array %s" % one["path"], "mdadm", "--stop", one["path"]) for one in ours]
    if len(disks) == 1:
        return result([*stops, *map(wiped, taken), file_system(wish, paths[0])], target=paths[0], fresh=True)
    return result([*stops, *map(wiped, taken), create(paths), file_system(wish, ARRAY)], target=ARRAY, fresh=True)


def at_mount_point(wish, seen, body):
    """{problems, steps} of mounting."""
    point, where, volume = seen["point"], wish["mount_point"], body["volume"]
    steps = []
    if point["kind"] not in (None, "directory"):
        return result(problems=["%s is a %s: expected a folder to mount on, or nothing. Choose another one." % (where, point["kind"])])
    mounted = bool(volume) and point["dev"] == volume["dev"]
    if point["dev"] and not mounted:
        return result(problems=["Something else is mounted at %s. Unmount it, or choose another instance_store_mount_point." % where])
    if volume and volume["mounts"] and not mounted:
        other = ", ".join(volume["mounts"])
        return result(problems=["%s is mounted at %s, not at %s: unmount it there first." % (volume["path"], other, where)])
    if not mounted:
        if point["entries"] and not wish["boot"]:
            text = "%s has %d entries, which the mount would hide. Move them away, or choose another instance_store_mount_point."
            return result(problems=[text % (where, point["entries"])])
        options = ["-o", ",".join(wish["mount_options"])] if wish["mount_options"] else []
        steps += [step("make the folder %s" % where, "mkdir", "-p", where)] if point["kind"] is None else []
        steps.append(step("mount %s at %s" % (body["target"], where), "mount", "-t", wish["filesystem"], *options, body["target"], where))
    elif seen["stored"] and seen["stored"]["mount_options"] != wish["mount_options"]:
        options = ",".join(["remount", *wish["mount_options"]])
        steps.append(step("mount %s with other options" % where, "mount", "-o", options, where))
    return result(steps + ownership(wish, point if mounted else None))


def ownership(wish, point):
    """Steps that give the root of the file system its owner and mode; point None: it is not known yet."""
    owner = "%d:%d" % (wish["uid"], wish["gid"])
    steps = []
    if point is None or (point["uid"], point["gid"]) != (wish["uid"], wish["gid"]):
        steps.append(step("give %s to %s" % (wish["mount_point"], owner), "chown", owner, wish["mount_point"]))
    if point is None or point["mode"] != wish["mode"]:
        steps.append(step("set the mode of %s to %s" % (wish["mount_point"], wish["mode"]), "chmod", wish["mode"], wish["mount_point"]))
    return steps
