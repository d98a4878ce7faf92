# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: driver_pins
short_description: Read pins on the controller, and say what they ask of a driver
version_added: 0.5.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Reads pins as module M(mlinfra.hosts.gpu_resolve) returns them, from a file or as they are. It does not fail for what is wrong with
    them; the roles that take pins refuse that together with all else.
options:
  _terms:
    description:
      - One value. A path to a YAML or JSON file on the controller, which may be encrypted with ansible-vault and is searched for as those
        of lookup P(ansible.builtin.file#lookup) are; or the pins themselves.
    type: list
    elements: raw
    required: true
  name:
    description: Name of the variable that has the pins, for what is said of them.
    type: str
    default: nvidia_driver_pins
    version_added: 0.7.0
"""

EXAMPLES = r"""
- name: Say which driver is pinned
  ansible.builtin.debug:
    msg: "{{ found.wish.version | default(found.problems | join(' ')) }}"
  vars:
    found: "{{ query('mlinfra.hosts.driver_pins', inventory_dir ~ '/pins.yml') | first }}"
"""

RETURN = r"""
_list:
  description: >-
    One dict, with C(pins), null where they cannot be used; C(problems), a sentence for each thing that is wrong; and C(wish), C(version),
    C(branch), C(flavor), C(kernel_modules), C(source) and C(kernels) in the words of role nvidia_driver's variables, empty without pins.
  type: list
  elements: dict
"""

import os
from collections.abc import Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible.plugins.lookup import LookupBase

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver.pinned import wish_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.pins import shape_problems

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EXPECTED = "expected a file on the controller with the pins that gpu_resolve returned, or the pins themselves"


def plain(value: Any) -> Any:
    """Ansible hands over mappings and lists of its own kinds."""
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def judged(pins: Any, name: str, where: str) -> dict[str, Any]:
    """As in RETURN. where: what messages put after a problem: the path, or nothing."""
    problems = [name + one.removeprefix("pins") + where for one in shape_problems(pins)]
    return {"pins": None if problems else pins, "problems": problems, "wish": {} if problems else wish_of(pins)}


def next_step(path: str, folders: list[str]) -> str:
    """What to do about a path where nothing is. folders: Ansible's search path, which has neither the current one nor the inventory's."""
    if os.path.isabs(os.path.expanduser(path)):
        return "Correct the path"
    looked = ", ".join(dict.fromkeys(str(one) for one in folders))
    return (
        f"It was looked for in {looked} and in files/ there. Give an absolute path ($PWD is the current folder on a command line, "
        "inventory_dir the inventory's in a template)"
    )


def refused(message: str) -> dict[str, Any]:
    return {"pins": None, "problems": [message], "wish": {}}


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        name = self.get_option("name")
        return [self.read(term, name, variables) if isinstance(term, str) else judged(plain(term), name, "") for term in terms]

    def read(self, path: str, name: str, variables: Any) -> dict[str, Any]:
        folders = (variables or {}).get("ansible_search_path") or [self.get_basedir(variables or {})]
        try:
            found = self._loader.path_dwim_relative_stack(folders, "files", path)
        except AnsibleFileNotFound:
            return refused(f"{name} is {path}: there is no such file. {next_step(path, folders)}; {EXPECTED}.")
        try:
            with open(self._loader.get_real_file(found), encoding="utf-8") as file:
                pins = yaml.load(file, Loader=LOADER)
        except (OSError, ValueError, yaml.YAMLError, AnsibleError) as error:
            why = " ".join(str(error).split())
            return refused(f"{name} is {path}: it cannot be read ({why}); {EXPECTED}.")
        return judged(pins, name, f" (in {path})")
