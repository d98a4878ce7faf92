# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks out of recorded shapes of sysfs, mountinfo and blkid."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.instance_store import disks

# A p4d's: EBS as nvme0, instance store besides; as `cat` shows them there, padded with spaces.
MODELS = {
    "nvme0n1": "Amazon Elastic Block Store              ",
    "nvme10n1": "Amazon EC2 NVMe Instance Storage        ",
    "nvme2n1": "Amazon EC2 NVMe Instance Storage        ",
    "sda": "QEMU HARDDISK",
}


@pytest.fixture
def root(tmp_path):
    for minor, (name, model) in enumerate(MODELS.items()):
        folder = tmp_path / "sys/block" / name
        (folder / "device").mkdir(parents=True)
        (folder / "holders").mkdir()
        (folder / "device/model").write_text(model + "\n")
        (folder / "device/serial").write_text(f"AWS{minor:017d}   \n")
        for file, text in (("dev", f"259:{minor}"), ("size", "1953125000"), ("ro", "0")):
            (folder / file).write_text(text + "\n")
    (tmp_path / "sys/block/nvme0c0n1").mkdir()
    part = tmp_path / "sys/block/nvme0n1/nvme0n1p1"
    (part / "holders").mkdir(parents=True)
    (part / "partition").write_text("1\n")
    (part / "dev").write_text("259:9\n")
    (tmp_path / "sys/class").mkdir()
    (tmp_path / "sys/class/block").symlink_to("../block")
    (tmp_path / "proc/self").mkdir(parents=True)
    lines = ["25 1 259:9 / / rw,relatime shared:1 - ext4 /dev/root rw", "40 25 259:2 / /my\\040data rw,noatime - xfs /dev/nvme2n1 rw"]
    (tmp_path / "proc/self/mountinfo").write_text("\n".join(lines) + "\n")
    (tmp_path / "proc/swaps").write_text("Filename\tType\n/dev/sda partition 1 0 -2\n")
    return str(tmp_path)


def host(root, code=2, out=""):
    return disks.Host(lambda argv: (code, out, ""), root)


def test_instance_store_is_known_by_its_model_alone(root):
    assert disks.instance_store(root) == ["nvme2n1", "nvme10n1"]


def test_a_disk_with_all_that_counts(root):
    found = host(root, 0, "DEVNAME=/dev/nvme2n1\nLABEL=mlinfra-data\nUUID=1\nTYPE=xfs\nUSAGE=filesystem\n").disk("/dev/nvme2n1")
    assert found["signature"] == {"type": "xfs", "label": "mlinfra-data", "uuid": "1"}
    assert (found["serial"], found["size"], found["mounts"]) == ("AWS" + "2".zfill(17), 10**12, ["/my data"])


def test_mounted_partitions_and_swap_count_for_their_disk(root):
    found = host(root).disk("/dev/nvme0n1")
    assert found["partitions"] == ["nvme0n1p1"] and found["mounts"] == ["/"] and found["model"] == disks.EBS
    assert host(root).disk("/dev/sda")["swap"] is True
    assert host(root).disk("/dev/sdz") is None


def test_what_was_mounted_last_is_what_is_there(root):
    with open(root + "/proc/self/mountinfo", "a") as file:
        file.write("41 40 7:3 / /my\\040data rw - tmpfs none rw\n")
    assert host(root).mounted_at("/my data") == "7:3" and host(root).mounted_at("/other") is None


@pytest.mark.parametrize(
    ("code", "out", "kind"),
    [
        (2, "", None),
        (0, "PTUUID=1\nPTTYPE=gpt\n", "gpt partition table"),
        (0, "LABEL=any\\:mlinfra-data\nTYPE=linux_raid_member\n", "linux_raid_member"),
        (0, "MINIMUM_IO_SIZE=512\n", "something unknown"),
        (8, "", "several signatures at once"),
        (4, "", "something that blkid cannot read"),
        (127, "", "something that blkid cannot read"),
    ],
)
def test_whatever_blkid_says_only_its_word_for_blank_means_blank(code, out, kind):
    found = disks.signature(code, out)
    assert (found and found["type"]) == kind
