# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gpu_users
short_description: Say which processes use the GPUs of a host, or its EFA devices
version_added: 0.7.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Names the first eight of them, for messages that say why a host was left as it is.
positional: _input
options:
  _input:
    description:
      - C(users) of M(mlinfra.hosts.gpu_facts), M(mlinfra.hosts.mig_layout) or M(mlinfra.hosts.efa_installer), each with C(pid) and
        C(program), or null.
    type: list
    elements: dict
    required: true
  devices:
    description: What they use.
    type: str
    choices: [GPUs, EFA devices]
    default: GPUs
"""

EXAMPLES = r"""
- name: Leave running jobs their host
  ansible.builtin.fail:
    msg: "{{ inventory_hostname }} is not restarted: {{ ansible_facts['mlinfra_gpu'].users | mlinfra.hosts.gpu_users }}."
  when: ansible_facts['mlinfra_gpu'].users != []
"""

RETURN = r"""
_value:
  description: Half a sentence.
  type: str
  sample: 2 processes use its GPUs (python3 pid 4711, python3 pid 4712)
"""

from typing import Any

from ansible.errors import AnsibleFilterError


def gpu_users(found: Any, devices: str = "GPUs") -> str:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import users

    try:
        return users.words(found, devices)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"gpu_users wants users of the fact mlinfra_gpu, each with pid and program, not {found!r}.") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gpu_users": gpu_users}
