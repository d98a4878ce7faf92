# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: verify_table
short_description: The summary of playbook verify as lines for people
version_added: 0.2.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Turns the statistics C(mlinfra_verify) of playbook C(mlinfra.hosts.verify) into a few aligned lines.
positional: _input
options:
  _input:
    description: What P(mlinfra.hosts.verify_summary#filter) made.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is proven
  ansible.builtin.debug:
    msg: "{{ seen | mlinfra.hosts.verify_summary('no MLflow') | mlinfra.hosts.verify_table }}"
  vars:
    seen: {gpu1: {there: [node_exporter], problems: {}}}
"""

RETURN = r"""
_value:
  description: A line on the whole, a line for each host, one on the training job, and one for each thing that cannot be proven.
  type: list
  elements: str
  sample:
    - "2 hosts: all that is there is proven"
    - "host  baseline  gpu        container  python  mlflow     node_exporter"
    - "gpu1  proven    not there  proven     proven  proven     proven"
    - "gpu2  proven    not there  proven     proven  not there  proven"
    - "training: proven (trained on gpu2, loaded on gpu1; same 8 predictions; …)"
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def verify_table(told: Any) -> list[str]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.verify.summary import table

    if not isinstance(told, Mapping) or "training" not in told:
        raise AnsibleFilterError("verify_table wants what verify_summary made: expected a dict with hosts and training.")
    return table(told)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"verify_table": verify_table}
