# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_summary
short_description: What became of the hosts of an upgrade
version_added: 0.5.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Sums up for people and for programs what playbook C(mlinfra.hosts.upgrade) did on each host.
positional: _input
options:
  _input:
    description: >-
      For each host C(plan), what P(mlinfra.hosts.upgrade_plan#filter) said; C(started), whether its turn came; C(forgets), whether playbook
      configure would go by other pins; and C(outcome), with C(result), C(why) and C(seconds). Each may be missing.
    type: dict
    required: true
  check:
    description: Whether this is a prediction.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ {'gpu1': {'plan': {'action': 'none'}}} | mlinfra.hosts.upgrade_summary }}"
"""

RETURN = r"""
_value:
  description: >-
    C(hosts), with C(host), C(from) and C(to) (driver versions), C(toolkit) (versions C(from) and C(to), or null where it stays), C(result),
    C(seconds) and C(why) of each; C(problems), sentences; C(notes), sentences about what is left to do; C(table), lines for people.
  type: dict
  sample:
    hosts: {gpu1: {host: gpu1, from: 580.95.05, to: 595.58.03, toolkit: null, result: upgraded, seconds: 214, why: null}}
    problems: []
    notes: []
    table: ["host  from       to         result    seconds", "gpu1  580.95.05  595.58.03  upgraded  214"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def upgrade_summary(told: Any, check: bool = False) -> dict[str, Any]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import report

    if not isinstance(told, Mapping) or not all(isinstance(one, Mapping) for one in told.values()):
        raise AnsibleFilterError("upgrade_summary wants what was kept of each host: expected a dict of dicts.")
    return report.summary(told, check)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"upgrade_summary": upgrade_summary}
