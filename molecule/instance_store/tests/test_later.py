# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to disks afterwards: reboots, stops, other people's data, wiping. Run last, in this order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO / "inventory"
HOST = "trixie-0"
# The master boot record of a disk with one Linux partition: the hosts have no program that writes one.
PARTITION_TABLE = r"""
import struct
with open("/srv/disks/second", "r+b") as disk:
    disk.seek(446)
    disk.write(struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 2048, 4096) + bytes(48) + b"\x55\xaa")
"""


# Services that began at the boot have mounts of their own, and in a container, where / is private, systemd does not take ours from them.
EVERYWHERE = "umount /mnt/scratch && for p in /proc/[0-9]*; do nsenter -t ${p#/proc/} -m umount /mnt/scratch 2>/dev/null; done"


def connect(name=HOST):
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")


def run(playbook, *options, variables=None):
    """(code, output, message of the failure) of a playbook on one host."""
    command = ["ansible-playbook", "-i", INVENTORY, "--limit", HOST, "-e", json.dumps(variables or {}), *options, playbook]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(rf"^fatal: \[{HOST}\]: FAILED! => ", done.stdout, re.MULTILINE)
    told = json.JSONDecoder().raw_decode(done.stdout[found.end() :])[0]["msg"] if found else ""
    return done.returncode, done.stdout + done.stderr, told


def converge(*options, **variables):
    return run(SCENARIO / "converge.yml", *options, variables=variables)


def as_root(command, *arguments):
    host = connect()
    with host.sudo():
        return host.check_output(command, *arguments)


def restart(tmp_path):
    playbook = tmp_path / "restart.yml"
    play = {"hosts": HOST, "gather_facts": False, "become": True, "tasks": [{"ansible.builtin.reboot": {"reboot_timeout": 120}}]}
    playbook.write_text(json.dumps([play]))
    code, output, _told = run(playbook)
    assert code == 0, output


def test_a_reboot_keeps_what_is_on_it(tmp_path):
    as_root("echo kept > /mnt/scratch/file")
    restart(tmp_path)
    assert as_root("cat /mnt/scratch/file") == "kept"


def test_after_a_stop_it_is_there_again_before_any_service(tmp_path):
    before = as_root("blkid -p -o value -s UUID /srv/disks/first")
    as_root("touch /srv/disks/stopped")
    restart(tmp_path)
    assert as_root("findmnt -n -o FSTYPE /mnt/scratch") == "ext4" and as_root("ls -A /mnt/scratch") == "lost+found"
    assert as_root("blkid -p -o value -s UUID /srv/disks/first") != before
    order = as_root("systemctl show -p Before,Result mlinfra-instance-store.service")
    assert "local-fs.target" in order and "Result=success" in order
    code, output, _told = converge()
    assert code == 0 and re.search(rf"{HOST} .*changed=0 ", output), output


def test_an_engine_with_its_data_on_it_does_not_start_without_it(tmp_path):
    playbook = tmp_path / "engine.yml"
    playbook.write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "roles": ["mlinfra.hosts.container_runtime"]}]))
    wish = {"container_runtime_engine": "containerd", "container_runtime_nvidia": "none", "container_runtime_free_mib": 64}
    there = {**wish, "container_runtime_data_root": "/mnt/scratch/containerd"}
    code, output, _told = run(playbook, variables=there)
    assert code == 0 and as_root("findmnt -n -o TARGET --target /mnt/scratch/containerd") == "/mnt/scratch", output
    code, output, _told = run(playbook, variables=there)
    assert code == 0 and re.search(rf"{HOST} .*changed=0 ", output), output

    # Unmounted behind the unit's back; then somebody else's file system is there, as it may be at a boot, and is not mounted.
    start = "systemctl start containerd 2>&1; systemctl is-active containerd || true"
    assert "ssertion failed" in as_root(f"systemctl stop containerd && {EVERYWHERE}; {start}")
    as_root("e2label /srv/disks/first theirs; systemctl restart mlinfra-instance-store || true")
    said = as_root(start)
    assert "dependency job for containerd.service failed" in said and said.split()[-1] == "inactive"
    code, output, told = run(playbook, variables=there)
    assert code == 2 and "mounts that at /mnt/scratch, has failed: the engine would fill the root disk" in told, output
    assert as_root("ls -A /mnt/scratch") == "", "the folder on the root disk"
    journal = "{ journalctl -n 20 -u mlinfra-instance-store >&2; false; }"
    as_root(f"e2label /srv/disks/first mlinfra-data; systemctl start containerd || {journal}")
    assert as_root("findmnt -n -o FSTYPE /mnt/scratch") == "ext4", "the unit was started with the engine"

    elsewhere = {"container_runtime_data_root": "/var/lib/containerd", "container_runtime_abandon_data": True}
    code, output, _told = run(playbook, variables={**wish, **elsewhere})
    assert code == 0 and "instance-store" not in as_root("systemctl show -p Requires,DropInPaths containerd"), output


def test_a_disk_with_anything_on_it_is_refused_and_kept():
    as_root(
        "mkfs.ext4 -q -L results /srv/disks/second && mkdir -p /mnt/other && mount /srv/disks/second /mnt/other && echo 1 > /mnt/other/x"
    )
    wish = {"instance_store_devices": ["/srv/disks/second"], "instance_store_mount_point": "/mnt/new"}
    code, output, told = converge(**wish, instance_store_wipe=["/srv/disks/second"])
    assert code == 2 and "is mounted at /mnt/other: it is never touched as long as it is" in told, output
    as_root("umount /mnt/other")
    code, output, told = converge(**wish)
    assert code == 2 and "has ext4 with label results: a disk that has anything on it is not formatted" in told, output
    assert "put /srv/disks/second into instance_store_wipe" in told
    assert as_root("mount /srv/disks/second /mnt/other && cat /mnt/other/x && umount /mnt/other") == "1"


def test_a_partition_table_is_refused_and_wiped_when_it_is_named():
    as_root("wipefs -q -a /srv/disks/second")
    as_root("python3 -c %s", PARTITION_TABLE)
    wish = {"instance_store_devices": ["/srv/disks/second"], "instance_store_mount_point": "/mnt/new"}
    code, output, told = converge(**wish)
    assert code == 2 and "has dos partition table" in told, output
    wish["instance_store_wipe"] = ["/srv/disks/second"]
    code, output, told = converge(**wish)
    assert code == 0 and as_root("findmnt -n -o FSTYPE /mnt/new") == "ext4", output
    as_root("echo 1 > /mnt/new/x")
    code, output, told = converge(**wish)
    assert code == 0 and re.search(rf"{HOST} .*changed=0 ", output) and as_root("cat /mnt/new/x") == "1", output
    as_root("umount /mnt/new && wipefs -q -a /srv/disks/second")


def test_two_disks_want_a_kernel_that_has_raid():
    """This machine's kernel may have no md, which is a case of its own; where it has, ours and a blank disk are no array."""
    code, output, told = converge(instance_store_devices=["/srv/disks/first", "/srv/disks/second"])
    assert code == 2 and ("this kernel has no md" in told or "of an earlier run" in told), output
    assert as_root("findmnt -n -o FSTYPE /mnt/scratch") == "ext4"


def test_a_host_that_must_have_disks_and_has_none():
    code, output, told = converge(instance_store_devices=[])
    assert code == 2 and "instance_store_required is true: trixie-0 has no disk of model Amazon EC2 NVMe" in told, output
