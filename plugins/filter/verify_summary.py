# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: verify_summary
short_description: What playbook verify saw on each host, as one summary
version_added: 0.2.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Says for each host and role whether it is V(proven), V(failed), V(not there) or V(not proven), and the same of the training job.
    What is not there is never a success, and never a failure.
positional: _input, training
options:
  _input:
    description:
      - By host, what was seen there, with C(there) (roles that apply to it), C(problems) (messages by role), C(details) (texts by role),
        C(gpu) (facts of M(mlinfra.hosts.gpu_facts)) and C(training). V(null) for a host that did not answer.
    type: dict
    required: true
  training:
    description: Why no training job was run. Empty when one was.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Sum up
  ansible.builtin.debug:
    msg: "{{ {'gpu1': {'there': ['node_exporter'], 'problems': {}}} | mlinfra.hosts.verify_summary('no MLflow') }}"
"""

RETURN = r"""
_value:
  description:
    - C(proven), C(not_proven), C(hosts), C(training) and C(problems). What is there and cannot be proven here is no failure, and is
      listed in C(not_proven).
  type: dict
  sample:
    proven: true
    not_proven: []
    hosts: {gpu1: {node_exporter: {state: proven, detail: ""}}}
    training: {state: not there, detail: no MLflow}
    problems: []
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def verify_summary(hosts: Any, training: str = "") -> dict:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.verify.summary import summary

    if not isinstance(hosts, Mapping):
        raise AnsibleFilterError("verify_summary wants what was seen, by host: expected a dict.")
    return summary(hosts, training)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"verify_summary": verify_summary}
