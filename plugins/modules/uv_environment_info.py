#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: uv_environment_info
short_description: Compare Python environments of a host with what they shall be
version_added: 0.2.0
description:
  - Reads all environments that M(mlinfra.hosts.uv_environment) made on a host in one transfer, and tells which differ from the wish.
  - Takes checksums of the lists instead of the lists, so that an unchanged host costs hardly more than a ping.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Reads only, so it does the same in check mode.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  environments:
    description: The environments to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: A name for the result.
        type: str
        required: true
      path:
        description: Where the environment shall be.
        type: path
        required: true
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      requirements_sha256:
        description:
          - SHA-256 of its list, as C(trim | hash('sha256')) makes it. With an empty one, the list that is installed is not compared.
        type: str
        default: ""
      python:
        description: Its interpreter, as M(mlinfra.hosts.uv_environment) takes it.
        type: str
        default: /usr/bin/python3
      lowest_python:
        description:
          - The lowest Python that its list holds for, as V(3.11). An environment that would be built with an earlier one is refused.
          - Any when left out.
        type: str
        version_added: 0.7.0
      owner:
        description: Its owner. Any when left out.
        type: str
      group:
        description: Its group. Any when left out.
        type: str
      mode:
        description: Mode of its folder, as octal digits. Any when left out.
        type: str
  imports:
    description:
      - Lists of modules to import, by name of the environment. A failure is reported, it is no failure of the task.
      - They are imported as the owner of the environment, who decides what happens then.
    type: dict
    default: {}
seealso:
  - module: mlinfra.hosts.uv_environment
"""

EXAMPLES = r"""
- name: See whether the training environment is as its list says
  mlinfra.hosts.uv_environment_info:
    environments:
      - name: training
        path: /opt/mlinfra/envs/training
        requirements_sha256: "{{ lookup('ansible.builtin.file', 'training.txt') | trim | hash('sha256') }}"
  become: true
"""

RETURN = r"""
environments:
  description: What was found, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    path:
      description: Its path.
      type: str
    there:
      description: Whether there is one.
      type: bool
    reasons:
      description: How it differs from the wish; empty when it does not.
      type: list
      elements: str
    python:
      description: Version of its Python, as V(3.11.2), when it was made; null when there is none.
      type: str
    machine:
      description: The machine that it was made for, as V(x86_64); null when that is not known.
      type: str
    requirements_sha256:
      description: SHA-256 of the list that it was made from; null when there is none.
      type: str
    installed:
      description: Versions by name of distribution.
      type: dict
    digest:
      description: SHA-256 of what is installed, equal on hosts that have the same.
      type: str
    failed_import:
      description: The first module of O(imports) that could not be imported, with the message; null when all could.
      type: dict
      sample: {module: mlflow, message: "ModuleNotFoundError: No module named 'mlflow'"}
  sample:
    - name: training
      path: /opt/mlinfra/envs/training
      there: true
      reasons: []
      python: 3.11.2
      installed: {numpy: 2.4.6}
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.validation import check_type_list

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import build, installed, interpreter, state

ARGUMENTS = {
    "environments": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "requirements_sha256": {"type": "str", "default": "", "no_log": False},
            "python": {"type": "str", "default": interpreter.SYSTEM},
            "lowest_python": {"type": "str"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str"},
        },
    },
    "imports": {"type": "dict", "default": {}},
}


def differences(wish, seen):
    """Why the environment must be changed, in words. Raises InterpreterError, also when it cannot be built with the wished one."""
    if wish["state"] == "absent":
        return ["it shall not be there"] if os.path.islink(wish["path"]) or state.folders(wish["path"]) else []
    python = os.path.realpath(interpreter.path_of(wish["python"]))
    version = interpreter.minor_version(python) or interpreter.probe(python)["markers"]["python_version"]
    record = (seen["record"] if seen else None) or {}
    found = state.reasons(seen, wish["requirements_sha256"] or record.get("requirements_sha256"), python, version)
    old = interpreter.too_old(version, wish["lowest_python"], python, interpreter.available()) if found else None
    if old:
        raise interpreter.InterpreterError(old)
    mode = None if wish["mode"] is None else int(wish["mode"], 8)
    attributes = state.attributes(seen, wish["owner"], wish["group"], mode)
    return found + ["its %s is not %s" % (name, wish[name]) for name in sorted(attributes)]


def failed_import(folder, names):
    """{module, message} of the first that the environment cannot import; None when there is none."""
    with tempfile.TemporaryDirectory() as scratch:
        build.hand_over(scratch, folder)
        broken = build.broken_import(folder, names, scratch, keep_bytecode=False)
    return {"module": broken[0], "message": broken[1]} if broken else None


def look(wish, imports):
    """What one environment is. Raises StateError, InterpreterError."""
    seen = state.look(wish["path"])
    record = (seen["record"] if seen else None) or {}
    have = seen["installed"] if seen else {}
    return {
        "name": wish["name"],
        "path": wish["path"],
        "there": seen is not None,
        "reasons": differences(wish, seen),
        "python": record.get("python", {}).get("version"),
        "machine": record.get("python", {}).get("machine"),
        "requirements_sha256": record.get("requirements_sha256"),
        "installed": have,
        "digest": installed.digest(have),
        "failed_import": failed_import(seen["folder"], imports) if seen else None,
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    found, problems = [], []
    for wish in module.params["environments"]:
        try:
            found.append(look(wish, check_type_list(module.params["imports"].get(wish["name"]) or [])))
        except (build.BuildError, interpreter.InterpreterError, state.StateError) as error:
            problems.append("%s: %s" % (wish["name"], error))
        except ValueError:
            problems.append("%s: mode is %s: expected octal digits, as 0755" % (wish["name"], wish["mode"]))
        except TypeError:
            problems.append("%s: imports has something else than a list of modules for it" % wish["name"])
        except OSError as error:
            problems.append("%s cannot be read: %s. Is the task run with become: true?" % (wish["path"], error))
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False, environments=found)


if __name__ == "__main__":
    main()
