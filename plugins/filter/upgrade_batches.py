# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_batches
short_description: How many hosts a play takes at a time, so that each batch has its number of hosts with work to do
version_added: 0.5.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Hosts that have nothing to do, as in a run that goes on after another one, count for nothing, so that the first one with work to do is
    alone again.
positional: _input
options:
  _input:
    description: C(action) of P(mlinfra.hosts.upgrade_plan#filter) for all hosts of the play, in order.
    type: list
    elements: str
    required: true
  canary:
    description: How many hosts come first. A number, or a percentage of those with work to do.
    type: str
    required: true
  batch:
    description: How many hosts each later batch has.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the batches
  ansible.builtin.debug:
    msg: "{{ ['none', 'upgrade', 'upgrade', 'upgrade'] | mlinfra.hosts.upgrade_batches(1, '50%') }}"    # [2, 1, 1]
"""

RETURN = r"""
_value:
  description: Sizes for the keyword C(serial) of a play, over all its hosts.
  type: list
  elements: int
  sample: [2, 1, 1]
"""

from typing import Any

from ansible.errors import AnsibleFilterError


def upgrade_batches(actions: Any, canary: Any, batch: Any) -> list[int]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import report

    try:
        return report.batches([str(one) for one in actions], canary, batch)
    except ValueError as error:
        raise AnsibleFilterError(f"upgrade_canary or upgrade_batch is {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"upgrade_batches": upgrade_batches}
