# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comparison with pings makes of what Ansible tells."""

from __future__ import annotations

import pytest

from bench.configure import RECAP, plain, ratio, remote_tasks, role


def task(**hosts: dict) -> dict:
    return {"hosts": hosts}


def test_only_what_goes_to_a_host_counts_and_each_item_of_a_loop() -> None:
    told = {"plays": [{"tasks": [
        task(a={"action": "mlinfra.hosts.host_preflight"}, b={"action": "mlinfra.hosts.host_preflight"}),
        task(a={"action": "ansible.builtin.assert"}),
        task(a={"action": "include_tasks"}),
        task(a={"action": "ansible.builtin.copy", "skipped": True}),
        task(a={"action": "ansible.builtin.file", "results": [{}, {"skipped": True}, {}]}),
        task(b={"action": "ansible.builtin.systemd_service"}),
    ]}]}  # fmt: skip
    assert remote_tasks(told) == 3
    assert remote_tasks({"plays": []}) == 0


def test_a_play_of_pings_has_as_many_tasks_as_wished() -> None:
    (play,) = plain("all", 10)
    assert len(play["tasks"]) == 10 and all(one["ansible.builtin.ping"] == {} for one in play["tasks"])
    assert role("one", "mlinfra.hosts.node_exporter")[0]["roles"] == [{"role": "mlinfra.hosts.node_exporter"}]


def test_ratios_are_of_medians() -> None:
    assert ratio([2.0, 3.0, 90.0], [1.0, 1.5, 0.1]) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("line", "hosts"),
    [
        ("gpu-0                      : ok=13   changed=2    unreachable=0    failed=0    skipped=0", [("gpu-0", "13", "2")]),
        ("gpu-0                      : ok=13   changed=2    unreachable=0    failed=1    skipped=0", []),
    ],
)
def test_only_hosts_without_failures_count(line: str, hosts: list) -> None:
    assert RECAP.findall(f"PLAY RECAP ****\n{line}\n") == hosts
