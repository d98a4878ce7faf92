# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks become one file system, and which are never touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.instance_store import plan

WISH = {
    "devices": [], "filesystem": "xfs", "mount_point": "/data", "mount_options": ["noatime"],
    "uid": 0, "gid": 0, "mode": "0755", "wipe": [], "boot": False,
}  # fmt: skip
OURS = {"type": "xfs", "label": "mlinfra-data", "uuid": "1"}
THEIRS = {"type": "ext4", "label": "results", "uuid": "2"}
MEMBER = {"type": "linux_raid_member", "label": "any:mlinfra-data", "uuid": "3"}
TABLE = {"type": "gpt partition table", "label": None, "uuid": None}
SIGNATURES = [None, OURS, THEIRS, MEMBER, dict(MEMBER, uuid="4"), dict(OURS, type="ext4"), TABLE]


def disk(number, found=None, **more):
    name = f"nvme{number}n1"
    base = {
        "path": "/dev/" + name, "given": "/dev/" + name, "name": name, "dev": f"259:{number}", "model": "Amazon EC2 NVMe Instance Storage",
        "serial": f"AWS{number}", "size": 10**12, "read_only": False, "partition": False, "partitions": [], "holders": [], "mounts": [],
        "swap": False, "busy": False, "signature": found,
    }  # fmt: skip
    return {**base, **more}


def array(members, found=None, **more):
    return disk(0, found, name="md127", path="/dev/md127", dev="9:127", serial=None, members=[one["name"] for one in members], **more)


def seen(*disks, **more):
    point = {"kind": None, "entries": 0, "dev": None, "uid": None, "gid": None, "mode": None}
    return {"missing": [], "disks": list(disks), "arrays": [], "point": point, "stored": None, "raid": True, "programs": [], **more}


def mounted(dev, **more):
    return {"kind": "directory", "entries": 0, "dev": dev, "uid": 0, "gid": 0, "mode": "0755", **more}


def commands(decided):
    assert decided["problems"] == []
    return [" ".join(step["argv"]) for step in decided["steps"]]


def test_one_blank_disk():
    assert commands(plan.decide(WISH, seen(disk(1)))) == [
        "mkfs.xfs -q -K -L mlinfra-data /dev/nvme1n1",
        "mkdir -p /data",
        "mount -t xfs -o noatime /dev/nvme1n1 /data",
        "chown 0:0 /data",
        "chmod 0755 /data",
    ]


def test_several_blank_disks_are_one_array():
    found = commands(plan.decide(WISH, seen(disk(1), disk(2))))
    assert found[0] == (
        "mdadm --create /dev/md/mlinfra-data --run --level=0 --raid-devices=2 --metadata=1.2 --homehost=any --name=mlinfra-data "
        "/dev/nvme1n1 /dev/nvme2n1"
    )
    assert found[1] == "mkfs.xfs -q -K -L mlinfra-data /dev/md/mlinfra-data"


def test_as_wished_there_is_nothing_to_do():
    one = disk(1, OURS, mounts=["/data"], busy=True)
    assert plan.decide(WISH, seen(one, point=mounted("259:1")))["steps"] == []
    members = [disk(number, MEMBER, holders=["md127"], busy=True) for number in (1, 2)]
    there = seen(*members, arrays=[array(members, OURS, mounts=["/data"])], point=mounted("9:127"))
    assert commands(plan.decide(WISH, there)) == [] and plan.decide(WISH, there)["target"] == "/dev/md127"


def test_after_a_reboot_what_is_ours_is_mounted_and_not_made():
    assert commands(plan.decide(WISH, seen(disk(1, OURS), point=mounted(None))))[0].startswith("mount -t xfs")
    decided = plan.decide(WISH, seen(disk(1, MEMBER), disk(2, MEMBER)))
    assert commands(decided)[0] == "mdadm --assemble /dev/md/mlinfra-data /dev/nvme1n1 /dev/nvme2n1"
    assert decided["steps"][0]["look_again"] and not any("mkfs" in one for one in commands(decided))


def test_an_array_that_a_run_left_without_file_system_gets_one():
    members = [disk(number, MEMBER, holders=["md127"], busy=True) for number in (1, 2)]
    assert "mkfs.xfs" in commands(plan.decide(WISH, seen(*members, arrays=[array(members)])))[0]


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (disk(1, THEIRS), "/dev/nvme1n1 (serial AWS1) has ext4 with label results: a disk that has anything on it is not formatted"),
        (disk(1, None, partitions=["nvme1n1p1"]), "has partitions nvme1n1p1"),
        (disk(1, dict(OURS, type="ext4")), "does not fit the wish (xfs"),
        (disk(1, MEMBER), "has linux_raid_member with label any:mlinfra-data of an earlier run"),
        (disk(1, THEIRS, mounts=["/old"], busy=True), "is mounted at /old: it is never touched"),
        (disk(1, None, holders=["dm-0"], busy=True), "is in use by dm-0"),
        (disk(1, None, swap=True, busy=True), "is swap"),
        (disk(1, None, busy=True), "in use by something that this host does not show"),
        (disk(1, None, model="Amazon Elastic Block Store"), "is an EBS volume"),
        (disk(1, None, partition=True), "is a partition"),
        (disk(1, None, size=0), "has no size"),
        (disk(1, None, read_only=True), "is read-only"),
    ],
)
def test_what_is_refused(one, told):
    decided = plan.decide(WISH, seen(one))
    assert told in "\n".join(decided["problems"]) and decided["steps"] == []


def test_wipe_takes_what_it_names_and_only_what_is_unfit():
    allowed = {**WISH, "wipe": ["AWS1"]}
    assert commands(plan.decide(allowed, seen(disk(1, THEIRS))))[0] == "wipefs --all /dev/nvme1n1"
    assert commands(plan.decide(allowed, seen(disk(1, OURS, mounts=["/data"], busy=True), point=mounted("259:1")))) == []
    told = plan.decide(allowed, seen(disk(1, THEIRS), disk(2, THEIRS)))["problems"]
    assert len(told) == 1 and "AWS2" in told[0]
    assert plan.decide({**allowed, "boot": True}, seen(disk(1, THEIRS)))["problems"], "a boot never wipes"
    assert plan.decide(allowed, seen(disk(1, THEIRS, mounts=["/old"], busy=True)))["problems"], "nor anybody what is in use"


def test_a_new_disk_beside_one_of_ours_costs_nothing_unless_asked():
    told = plan.decide(WISH, seen(disk(1, OURS), disk(2)))["problems"]
    assert len(told) == 1 and "AWS1" in told[0]
    found = commands(plan.decide({**WISH, "wipe": ["AWS1"]}, seen(disk(1, OURS), disk(2))))
    assert [one.split()[0] for one in found[:3]] == ["wipefs", "mdadm", "mkfs.xfs"]


def test_mount_point_that_is_taken():
    full = {"kind": "directory", "entries": 3, "dev": None, "uid": 0, "gid": 0, "mode": "0755"}
    assert "3 entries, which the mount would hide" in plan.decide(WISH, seen(disk(1), point=full))["problems"][0]
    assert commands(plan.decide({**WISH, "boot": True}, seen(disk(1), point=full))), "a boot goes on"
    assert "Something else is mounted" in plan.decide(WISH, seen(disk(1), point=mounted("8:1")))["problems"][0]
    moved = disk(1, OURS, mounts=["/old"], busy=True)
    assert "is mounted at /old, not at /data" in plan.decide(WISH, seen(moved))["problems"][0]
    assert "is a file" in plan.decide(WISH, seen(disk(1), point={**full, "kind": "file"}))["problems"][0]


def test_owner_mode_and_options_follow_without_a_new_file_system():
    one = disk(1, OURS, mounts=["/data"], busy=True)
    wish = {**WISH, "uid": 1000, "mode": "1777", "mount_options": ["nodiratime"]}
    there = seen(one, point=mounted("259:1"), stored={"mount_options": ["noatime"]})
    assert commands(plan.decide(wish, there)) == ["mount -o remount,nodiratime /data", "chown 1000:0 /data", "chmod 1777 /data"]


def test_a_kernel_without_raid_is_told():
    assert "this kernel has no md" in plan.decide(WISH, seen(disk(1), disk(2), raid=False))["problems"][0]


def test_missing_devices_are_told_together_with_the_rest():
    told = plan.decide(WISH, seen(disk(1, THEIRS, mounts=["/x"]), missing=["/dev/sdz"]))["problems"]
    assert len(told) == 2 and told[0].startswith("/dev/sdz is not there")


DISKS = st.lists(
    st.builds(
        lambda found, mounts, holders, parts: {"found": found, "mounts": mounts, "holders": holders, "partitions": parts},
        st.sampled_from(SIGNATURES), st.sampled_from([[], [], ["/x"], ["/data"]]), st.sampled_from([[], [], ["md127"], ["dm-0"]]),
        st.sampled_from([[], [], ["nvme1n1p1"]]),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@given(DISKS, st.sets(st.sampled_from(["AWS1", "AWS2", "AWS3"])), st.booleans())
def test_nothing_that_holds_anything_is_ever_formatted_unless_named(made, wipe, boot):
    disks = [disk(number, **more, busy=bool(more["mounts"] or more["holders"])) for number, more in enumerate(made, 1)]
    inside = [one for one in disks if "md127" in one["holders"]]
    found = seen(*disks, arrays=[array(inside, OURS)] if inside else [])
    decided = plan.decide({**WISH, "wipe": sorted(wipe), "boot": boot}, found)
    formats = [step["argv"] for step in decided["steps"] if step["argv"][0] in ("wipefs", "mkfs.xfs") or "--create" in step["argv"]]
    writes = {word for argv in formats for word in argv}
    for one in disks:
        if one["path"] in writes:
            assert not one["mounts"] and "dm-0" not in one["holders"]
            holds = one["signature"] or one["partitions"]
            assert not holds or (not boot and one["serial"] in wipe)
    assert not (decided["problems"] and decided["steps"])
