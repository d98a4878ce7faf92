# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: framework_list
short_description: Read the list of a framework on the controller, when it is the one that is wished
version_added: 0.7.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Reads a list that module M(mlinfra.hosts.framework_lock) made, and judges it as the module does. Where the list has to be made, or is
    to be refused, there is nothing, and the module does the one or the other.
options:
  _terms:
    description: Path of the list on the controller.
    type: list
    elements: path
    required: true
  framework:
    description: As O(mlinfra.hosts.framework_lock#module:framework).
    type: str
    required: true
  pins:
    description: As O(mlinfra.hosts.framework_lock#module:pins).
    type: dict
    default: {}
  packages:
    description: As O(mlinfra.hosts.framework_lock#module:packages).
    type: list
    elements: str
    default: []
seealso:
  - plugin: mlinfra.hosts.framework_lock
    plugin_type: module
"""

EXAMPLES = r"""
- name: Say whether the list has to be made
  ansible.builtin.debug:
    msg: "{{ query('mlinfra.hosts.framework_list', 'locks/torch.txt', framework='torch==2.9.1', pins=pins) | length == 0 }}"
"""

RETURN = r"""
_list:
  description: The texts of the lists that fit.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.path import unfrackpath

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env.framework import fits


def text_of(path: str) -> str:
    """What is there; empty where nothing can be read, which the module says."""
    try:
        return Path(unfrackpath(path)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **options: Any) -> list[str]:
        self.set_options(var_options=variables, direct=options)
        framework, pins, packages = (self.get_option(name) for name in ("framework", "pins", "packages"))
        return [text for text in map(text_of, terms) if fits(text, framework, pins, packages)]
