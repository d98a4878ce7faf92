# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_reboot_due
short_description: Whether a host has to be restarted after its driver was exchanged
version_added: 0.5.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - V(if_required) restarts a host that has another driver loaded than installed, or runs another kernel than the pinned one; never a
    container, whose modules belong to the machine outside. V(always) restarts it once in each upgrade.
positional: _input
options:
  _input:
    description: C(mlinfra_gpu) of M(mlinfra.hosts.gpu_facts).
    type: dict
    required: true
  stage:
    description: What M(mlinfra.hosts.upgrade_stage) returned.
    type: dict
    required: true
  pins:
    description: Pins of the driver that was installed.
    type: dict
    required: true
  changed:
    description: Whether this run has exchanged the driver.
    type: bool
    default: false
  reboot:
    description: The policy.
    type: str
    choices: [if_required, always]
    default: if_required
"""

EXAMPLES = r"""
- name: Restart it where that is due
  ansible.builtin.reboot:
  when: ansible_facts['mlinfra_gpu'] | mlinfra.hosts.upgrade_reboot_due(upgrade, upgrade.record.to)
"""

RETURN = r"""
_value:
  description: Whether it is due.
  type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def upgrade_reboot_due(facts: Any, stage: Any, pins: Any, changed: bool = False, reboot: str = "if_required") -> bool:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import decide

    if not isinstance(facts, Mapping) or not isinstance(stage, Mapping) or not stage.get("record"):
        raise AnsibleFilterError("upgrade_reboot_due wants the fact mlinfra_gpu and what upgrade_stage returned for an upgrade.")
    return decide.is_reboot_due(reboot, facts, changed, stage["record"], stage["boot"], pins)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"upgrade_reboot_due": upgrade_reboot_due}
