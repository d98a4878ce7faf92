# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_plan
short_description: What playbook upgrade has to do with a host
version_added: 0.5.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Compares what a host has and how far an earlier upgrade came with the pins that are wished.
positional: _input
options:
  _input:
    description: C(mlinfra_gpu) of M(mlinfra.hosts.gpu_facts).
    type: dict
    required: true
  record:
    description: C(record) of M(mlinfra.hosts.upgrade_stage); null for none.
    type: dict
  pins:
    description: What lookup P(mlinfra.hosts.driver_pins#lookup) says of the wished pins.
    type: dict
    required: true
  host:
    description: Name of the host, for messages.
    type: str
    required: true
  retry:
    description: Whether pins that a host was returned from are tried again.
    type: bool
    default: false
  drains:
    description: Whether tasks drain the host, so that its GPUs may be in use before.
    type: bool
    default: false
  busy:
    description: V(proceed) goes on while processes use the GPUs.
    type: str
    default: refuse
  local:
    description: Whether Ansible itself runs on the host.
    type: bool
    default: false
  reboot:
    description: When the host is restarted.
    type: str
    choices: [if_required, always]
    default: if_required
  toolkit:
    description:
      - Null where the container toolkit is not to be moved. Else the version that is wished for it besides the pins, or an empty text.
    type: str
"""

EXAMPLES = r"""
- name: Say what would be done
  ansible.builtin.debug:
    msg: "{{ ansible_facts['mlinfra_gpu'] | mlinfra.hosts.upgrade_plan(upgrade.record, pins=pins, host=inventory_hostname) }}"
  vars:
    pins: "{{ query('mlinfra.hosts.driver_pins', inventory_dir ~ '/pins.yml') | first }}"
"""

RETURN = r"""
_value:
  description: >-
    C(action), V(none), V(skip) (no GPU), V(upgrade), V(undrain), V(return) (to the pins before) or V(refuse); C(problems), sentences; pins
    C(from) and C(to); C(back), those of the way back with the driver's packages alone; C(toolkit), versions C(from) and C(to) of the
    container toolkit, or null where it stays; C(gpus), the health before, by address; C(resumes), the stage that a run before was stopped
    in; C(words), why it is skipped.
  type: dict
  sample: {action: none, problems: [], from: null, to: null, back: null, toolkit: null, gpus: {}, resumes: null, words: null}
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def upgrade_plan(
    facts: Any,
    record: Any,
    pins: Any,
    host: str,
    retry: bool = False,
    drains: bool = False,
    busy: str = "refuse",
    local: bool = False,
    reboot: str = "if_required",
    toolkit: str | None = None,
) -> dict[str, Any]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import decide

    if not isinstance(facts, Mapping) or "driver_state" not in facts:
        raise AnsibleFilterError("upgrade_plan wants the fact mlinfra_gpu: run gpu_facts before.")
    if not isinstance(pins, Mapping) or "problems" not in pins:
        raise AnsibleFilterError("upgrade_plan wants what lookup driver_pins returns as pins.")
    settings = {
        "upgrade_retry": retry,
        "upgrade_drains": drains,
        "busy": busy,
        "local": local,
        "upgrade_reboot": reboot,
        "toolkit": toolkit,
    }
    return decide.plan(host, facts, record, pins, settings)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"upgrade_plan": upgrade_plan}
