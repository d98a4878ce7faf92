# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: environment_differences
short_description: How the Python environments of hosts differ
version_added: 0.2.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Compares what M(mlinfra.hosts.uv_environment_info) returned on several hosts, environment by environment.
  - Different lists, and what a list means for different versions of Python, are notes. All other differences are failures.
positional: _input
options:
  _input:
    description: What M(mlinfra.hosts.uv_environment_info) returned, by host. A host with nothing is left out.
    type: dict
    required: true
  by_host:
    description: Whether C(failures) are told by host, so that each host can look up its own.
    type: bool
    default: false
    version_added: 0.7.0
"""

EXAMPLES = r"""
- name: Want the same environments on all hosts
  ansible.builtin.assert:
    that: (found | mlinfra.hosts.environment_differences).failures == []
  vars:
    found: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'seen'))) }}"
"""

RETURN = r"""
_value:
  description:
    - Lists of sentences under C(failures) and C(notes).
    - With O(by_host), C(failures) is a dict of such lists, with the hosts that a sentence names as keys.
  type: dict
  sample:
    failures: []
    notes: ["training on train-0 and cpu-0: they are made from different lists"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def environment_differences(results: Any, by_host: bool = False) -> dict[str, Any]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import compare

    if not isinstance(results, Mapping) or not all(isinstance(result, Mapping) for result in results.values()):
        raise AnsibleFilterError("environment_differences wants a mapping of hosts to results of mlinfra.hosts.uv_environment_info.")
    compared = compare.by_host if by_host else compare.differences
    return compared({host: result["environments"] for host, result in results.items() if "environments" in result})


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"environment_differences": environment_differences}
