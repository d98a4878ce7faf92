# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_verdict
short_description: What is wrong with a host's driver after it was exchanged
version_added: 0.5.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Wants the pinned driver installed, and loaded where one is loaded, in one piece, without a restart to
    come, and no GPU worse than before.
positional: _input
options:
  _input:
    description: C(mlinfra_gpu) of M(mlinfra.hosts.gpu_facts).
    type: dict
    required: true
  pins:
    description: Pins of the driver that was installed.
    type: dict
    required: true
  gpus:
    description: The health of each GPU before, by address.
    type: dict
    required: true
  host:
    description: Name of the host, for messages.
    type: str
    required: true
  toolkit:
    description: Version that the container toolkit has to have; null for any, or none.
    type: str
"""

EXAMPLES = r"""
- name: Want the pinned driver
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ ansible_facts['mlinfra_gpu'] | mlinfra.hosts.upgrade_verdict(upgrade.record.to, {}, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: A sentence for each thing that is wrong; empty when nothing is.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def upgrade_verdict(facts: Any, pins: Any, gpus: Any, host: str, toolkit: str | None = None) -> list[str]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import decide

    if not isinstance(facts, Mapping) or "driver_state" not in facts:
        raise AnsibleFilterError("upgrade_verdict wants the fact mlinfra_gpu: run gpu_facts before.")
    return decide.verdict(host, facts, pins, gpus, toolkit)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"upgrade_verdict": upgrade_verdict}
