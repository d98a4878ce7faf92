# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: role_problems
short_description: Values that roles of this collection would refuse
version_added: 0.2.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Compares variables with the argument specs of roles, to find a wrong value before there is any host to find it on.
  - A variable that cannot be computed yet is left out, since it may be a host's own.
options:
  _terms:
    description: Names of roles, without the collection's.
    type: list
    elements: str
    required: true
  within:
    description: Name of a variable with a dict of variables, to look at besides those that are in force where this is looked up.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Want what node_exporter is given to be what it takes
  ansible.builtin.assert:
    that: query('mlinfra.hosts.role_problems', 'node_exporter', within='hosts_values') == []
  vars:
    hosts_values: {node_exporter_port: 9100}
"""

RETURN = r"""
_list:
  description: A sentence for each value that would be refused. Empty when there is none.
  type: list
  elements: str
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import AnsibleValidationError, UnsupportedError
from ansible.plugins.lookup import LookupBase

# libyaml's is ten times quicker, and every host asks.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ROLES = Path(__file__).resolve().parents[2] / "roles"


def options_of(role: str) -> dict[str, dict]:
    """The options of the role's main entry point by name. Raises AnsibleError."""
    path = ROLES / role / "meta" / "argument_specs.yml"
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)["argument_specs"]["main"]["options"]
    except OSError:
        known = ", ".join(sorted(folder.name for folder in ROLES.iterdir() if folder.is_dir()))
        raise AnsibleError(f"mlinfra.hosts has no role {role}: expected one of {known}.") from None


def in_words(error: AnsibleValidationError) -> str:
    """Ansible's message; its one about options that are none says only which are."""
    text = error.msg.rstrip(".")
    if not isinstance(error, UnsupportedError):
        return text
    # https://github.com/ansible/ansible/blob/v2.19.0/lib/ansible/module_utils/common/arg_spec.py: with the path in front of each name.
    given, supported = text.split(". Supported parameters include: ")
    known, names = supported.rstrip(".").split(", "), given.split(", ")
    near = [close[0] for name in names for close in [get_close_matches(name.rsplit(".", 1)[-1], known, 1)] if close]
    meant = f" Did you mean {' and '.join(near)}?" if near else ""
    return f"{' and '.join(names)} {'is not an option' if len(names) == 1 else 'are no options'}: expected {', '.join(known)}.{meant}"


def found_in(role: str, values: Mapping[str, Any]) -> list[str]:
    """What is wrong with each value that the role would refuse, without a point; a secret is not shown."""
    found = []
    for name, option in options_of(role).items():
        if values.get(name) is None:
            continue
        errors = [in_words(error) for error in ArgumentSpecValidator({name: option}).validate({name: values[name]}).errors]
        if errors and option.get("no_log"):
            errors = [f"{name} is not of type {option['type']} (its value is not shown)"]
        found += errors
    return found


def sentence(error: str, role: str) -> str:
    return f"{error}{'' if error.endswith('?') else '.'} See ansible-doc -t role mlinfra.hosts.{role}."


def problems(role: str, values: Mapping[str, Any]) -> list[str]:
    """A sentence for each value that the role would refuse; a secret is not shown."""
    return [sentence(error, role) for error in found_in(role, values)]


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **options: Any) -> list[str]:
        self.set_options(var_options=variables, direct=options)
        # By name, because templates of a dict that is passed would all be carried out on the way.
        inner = variables.get(self.get_option("within")) or {}
        found: dict[str, str] = {}
        for role in terms:
            for given in (inner, variables):
                wished = {name: given[name] for name in options_of(str(role)) if name in given}
                for error in found_in(str(role), self._computed(wished)):
                    # An option of several roles is told once, by the first of them.
                    found.setdefault(error, sentence(error, str(role)))
        return list(found.values())

    def _computed(self, given: dict[str, Any]) -> dict[str, Any]:
        """The values with their templates carried out, without those that cannot be yet."""
        computed = {}
        for name, value in given.items():
            try:
                computed[name] = self._templar.template(value)
            except AnsibleError:
                continue
        return computed
