# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: one tree of options laid over another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import UNKNOWN, DocumentError, Problems, closest, listed

DOCUMENTATION = r"""
name: overlay
author: mlinfra.hosts contributors (@mlinfra)
version_added: 0.1.0
short_description: Lay options over others, lists by name
description:
  - Returns the first mapping with the second laid over it.
  - Mappings are merged key by key. Lists whose elements all have a C(name) are merged by it, and new names come last. All else is replaced.
  - A key that the first mapping does not have at its top is an error, so that a misspelt section does not vanish.
positional: over, path
options:
  _input:
    description: The mapping to begin with. It is not changed.
    type: dict
    required: true
  over:
    description: What to lay over it. Nothing if it is empty.
    type: dict
    required: true
  path:
    description: What messages call the second mapping.
    type: str
    default: overlay
"""

EXAMPLES = r"""
- name: Make one pool larger and leave the others
  ansible.builtin.debug:
    msg: "{{ declared | mlinfra.hosts.overlay({'pools': [{'name': 'train', 'count': 4}]}) }}"
  vars:
    declared:
      pools:
        - {name: train, count: 2, instance_types: [g5.xlarge]}
        - {name: cpu, count: 1, instance_types: [t3.large]}
"""

RETURN = r"""
_value:
  description: The merged mapping.
  type: dict
"""


def overlay(base: Any, over: Any, path: str = "overlay") -> dict[str, Any]:
    """Raises AnsibleFilterError for anything but mappings and for top keys that ``base`` does not have."""
    if not isinstance(base, Mapping):
        raise AnsibleFilterError(f"overlay begins with a mapping, not with {type(base).__name__}. Pass a mapping of options.")
    if not over:
        return dict(base)
    problems = Problems()
    if isinstance(over, str):  # a survey's text
        over = _json(over)
    if not isinstance(over, Mapping):
        problems.add(path, over, "a mapping of options belongs here", "Write it as key: value lines")
    else:
        for key in over:
            if key not in base:
                problems.add(f"{path}.{key}", UNKNOWN, f"known are {listed(sorted(base))}", closest(key, base, "Use one of those"))
    if problems:
        raise AnsibleFilterError(DocumentError(problems.found).message)
    return _merge(base, over)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: _merge(base[key], value) if key in base else value for key, value in over.items()}}
    if _named(base) and _named(over):
        laid = {element["name"]: element for element in over}
        known = [element["name"] for element in base]
        merged = [_merge(element, laid.get(element["name"], {})) for element in base]
        return merged + [element for name, element in laid.items() if name not in known]
    return over


def _named(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(element, Mapping) and "name" in element for element in value)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"overlay": overlay}
