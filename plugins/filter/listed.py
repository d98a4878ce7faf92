# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: listed
short_description: Take an option of a role as the list that its argument spec says it is
version_added: 0.7.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Ansible's check of a role's arguments takes a text for a list, split at its commas, and gives the role the text all the same. This
    takes it as the check does, so that V(alice) is a list of one, and not of five letters.
  - Blanks around the parts of a text are no part of them, and nothing between two commas is none. What is not set is an empty list.
positional: _input, elements
options:
  _input:
    description: A list, a text, or a number.
    type: raw
    required: true
  elements:
    description: What each element shall be.
    type: str
    choices: [str, dict]
    default: str
"""

EXAMPLES = r"""
- name: Show the users, however they were given
  ansible.builtin.debug:
    msg: "{{ container_runtime_users | mlinfra.hosts.listed }}"
"""

RETURN = r"""
_value:
  description: The list.
  type: list
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.validation import check_type_dict, check_type_list


def listed(value: Any, elements: str = "str") -> list:
    """Raises AnsibleFilterError for what the check of arguments refuses, too."""
    if value is None:
        return []
    try:
        found = check_type_list(value)
        if isinstance(value, str):
            found = [one for one in (part.strip() for part in found) if one]
        if elements == "dict":
            return [check_type_dict(one) for one in found]
    except TypeError as error:
        expected = "a list of mappings" if elements == "dict" else "a list"
        raise AnsibleFilterError(f"{value!r} is no list: expected {expected} ({error}).") from None
    return [one if isinstance(one, str) else str(one) for one in found]


class FilterModule:
    def filters(self) -> dict:
        return {"listed": listed}
