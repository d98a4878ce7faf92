# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gpu_facts says of hosts of several GPU types before any driver is there."""

from __future__ import annotations

NVSWITCHES = {"a100": 6, "h100": 4}
ARCHITECTURES = {"a10g": ["ampere"], "t4": ["turing"], "a100": ["ampere"], "h100": ["hopper"], "mirror": []}


def test_devices_before_any_driver(host, look):
    pool = host.ansible.get_variables()["mlinfra_pool"]
    facts = look()
    listed = [line.split() for line in host.check_output("lspci -Dn -d 10de::0302").splitlines()]
    assert [(gpu["address"], gpu["vendor"] + ":" + gpu["device"]) for gpu in facts["devices"]] == [(row[0], row[2]) for row in listed]
    assert facts["architectures"] == ARCHITECTURES[pool] and facts["nvswitch_count"] == NVSWITCHES.get(pool, 0)
    assert facts["driver_state"] == "absent" and facts["smi"]["available"] is False
    assert facts["container"] is True and facts["unread"] == []
    assert facts["kernel"]["running"] == host.check_output("uname -r")
