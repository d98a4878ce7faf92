# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl show says, unit by unit."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import units

ANSWER = """Id=ssh.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/ssh.service
UnitFileState=enabled
NeedDaemonReload=yes
ExecMainStartTimestampMonotonic=812400000

Id=nope.service
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
UnitFileState=

Id=systemd-timesyncd.service
LoadState=masked
ActiveState=inactive
SubState=dead
UnitFileState=masked
"""


def test_blocks_are_in_the_order_of_the_names():
    found = units.parse(ANSWER, ["sshd.service", "nope.service", "systemd-timesyncd.service"])
    path = "/lib/systemd/system/ssh.service"
    assert found["sshd.service"] == {
        "exists": True, "load": "loaded", "active": "active", "sub": "running", "enabled": "enabled", "path": path,
        "stale": True, "started": 812.4,
    }  # fmt: skip
    assert not units.parse(ANSWER.replace("Reload=yes", "Reload=no"), ["sshd.service"])["sshd.service"]["stale"]
    assert found["nope.service"] == units.ABSENT
    assert (found["systemd-timesyncd.service"]["exists"], found["systemd-timesyncd.service"]["load"]) == (False, "masked")


def test_no_answer_is_no_unit():
    assert units.parse("", ["a.service"]) == {"a.service": units.ABSENT}
