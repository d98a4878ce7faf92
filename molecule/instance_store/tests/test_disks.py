# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disks as each host shall have them."""

from __future__ import annotations

import pytest

WISHED = {"bookworm": ("/data", "xfs", "adm", 0o2775), "trixie": ("/mnt/scratch", "ext4", "root", 0o755)}


@pytest.fixture
def pool(host):
    return host.ansible.get_variables()["mlinfra_pool"]


def test_mounted_with_label_owner_and_mode(host, pool):
    if pool == "plain":
        assert not host.file("/data").exists and not host.file("/etc/mlinfra/instance_store.json").exists
        return
    point, kind, group, mode = WISHED[pool]
    assert host.check_output("findmnt -n -o FSTYPE %s", point) == kind
    assert "noatime" in host.check_output("findmnt -n -o OPTIONS %s", point)
    folder = host.file(point)
    assert (folder.group, folder.mode) == (group, mode)
    with host.sudo():
        assert host.check_output("blkid -p -o value -s LABEL /srv/disks/first") == "mlinfra-data"
        assert host.run("blkid -p /srv/disks/second").rc == 2, "a disk that nobody named was touched"


def test_the_unit_is_there_for_the_next_boot(host, pool):
    if pool != "plain":
        assert host.service("mlinfra-instance-store").is_enabled and host.service("mlinfra-instance-store").is_running
