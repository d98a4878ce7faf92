# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comparison with pings makes of what Ansible tells."""

from __future__ import annotations

import pytest

from bench.configure import RECAP, plain, ratio, role, wished_roles


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


def test_each_role_of_configure_has_to_be_counted() -> None:
    assert {"nvidia_driver", "cuda_toolkit", "mig", "instance_store", "python_env"} < wished_roles("")
    assert wished_roles("mig,python_env") == {"mig", "python_env"}
