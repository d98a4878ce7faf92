# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When role mig reboots a host for GPUs that cannot be reset, and what it says when not."""

from __future__ import annotations

import pytest

JOB = {"pid": 4242, "program": "python3"}


@pytest.fixture
def ask(value_of):
    """Function (variable, answer of the module that differs, settings) → value on a host."""

    def value(name, seen=(), **settings):
        change = {"reboot_required": [0], "users": [], **dict(seen)}
        return value_of("mig", name, inventory_hostname="a100-0", __mig_change=change, **settings)

    return value


@pytest.mark.parametrize(
    ("seen", "settings", "reboots", "told"),
    [
        ({}, {"mig_reboot": "if_required"}, True, None),
        ({}, {}, False, "Reboot it, or set mig_reboot to if_required."),
        ({"users": [JOB]}, {}, False, "Reboot it, or set mig_reboot to if_required."),
        ({"users": [JOB]}, {"mig_reboot": "if_required"}, False, "a100-0 was not rebooted, as 1 process uses its GPUs (python3 pid 4242)."),
        ({"users": None}, {"mig_reboot": "if_required"}, False, "a100-0 was not rebooted, as it cannot be told whether processes use its"),
        ({"reboot_required": []}, {"mig_reboot": "if_required"}, False, None),
    ],
)
def test_no_reboot_under_jobs_of_any_gpu(ask, seen, settings, reboots, told):
    assert ask("_mig_reboots", seen, **settings) is reboots
    if told:
        said = ask("_mig_waits", seen, **settings)
        assert said.startswith("MIG's mode of GPU 0 on a100-0 changes with the next reboot only") and told in said


@pytest.mark.parametrize(("state", "defers"), [("reboot_pending", True), ("coherent", False), ("absent", False), (None, False)])
def test_a_driver_that_waits_for_a_reboot_takes_the_layout_along(ask, state, defers):
    facts = {"mlinfra_gpu": {"present": True, "driver_state": state}} if state else {}
    assert ask("_mig_may_defer", ansible_facts=facts) is defers
    assert "a100-0 are partitioned with the next reboot" in ask("_mig_waits_for_driver")
