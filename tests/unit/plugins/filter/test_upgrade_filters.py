# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of playbook upgrade over module_utils/upgrade."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter import (
    upgrade_batches,
    upgrade_plan,
    upgrade_reboot_due,
    upgrade_summary,
    upgrade_verdict,
)
from tests.unit.plugins.module_utils.upgrade.hosts import LATER, facts, found, pins, record

PLAN = upgrade_plan.FilterModule().filters()["upgrade_plan"]
DUE = upgrade_reboot_due.FilterModule().filters()["upgrade_reboot_due"]
VERDICT = upgrade_verdict.FilterModule().filters()["upgrade_verdict"]
BATCHES = upgrade_batches.FilterModule().filters()["upgrade_batches"]
SUMMARY = upgrade_summary.FilterModule().filters()["upgrade_summary"]


def test_decides():
    assert PLAN(facts(), None, found(LATER), "gpu-0")["action"] == "upgrade"
    assert DUE(facts(LATER, state="reboot_pending"), {"record": record("reboot"), "boot": "one"}, pins(LATER)) is True
    assert VERDICT(facts(LATER), pins(LATER), {}, "gpu-0") == []
    assert BATCHES(["upgrade", "upgrade"], 1, "25%") == [1, 1]
    assert SUMMARY({"gpu-0": {"plan": {"action": "none"}}})["hosts"]["gpu-0"]["result"] == "unchanged"


@pytest.mark.parametrize(
    ("filter_", "arguments", "told"),
    [
        (PLAN, ({}, None, found(LATER), "gpu-0"), "wants the fact mlinfra_gpu"),
        (PLAN, (facts(), None, pins(LATER), "gpu-0"), "wants what lookup driver_pins returns"),
        (DUE, (facts(), {"record": None, "boot": "one"}, pins(LATER)), "what upgrade_stage returned"),
        (VERDICT, ("text", pins(LATER), {}, "gpu-0"), "wants the fact mlinfra_gpu"),
        (BATCHES, (["upgrade"], "all", 1), "upgrade_canary or upgrade_batch is all: expected a number of hosts"),
        (SUMMARY, (["gpu-0"],), "wants what was kept of each host"),
    ],
)
def test_what_is_neither_is_refused(filter_, arguments, told):
    with pytest.raises(AnsibleFilterError, match=told):
        filter_(*arguments)
