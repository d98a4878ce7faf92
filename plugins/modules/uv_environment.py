#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: uv_environment
short_description: A Python environment that is exactly what a pinned list says
version_added: 0.2.0
description:
  - Makes a virtual environment from a list of requirements with hashes, by uv, and keeps it as the list says.
  - An environment that is as wished is only looked at, which takes milliseconds. Neither uv nor the environment's Python runs.
  - Any other is built anew beside the one that is there and takes its place in one step when it is whole. When building fails, what was
    there goes on working. O(path) is a symbolic link, as scripts in an environment hold the path that they were made at.
  - An environment that was replaced is removed, or at the next change when running processes still use it.
  - Markers in the list are evaluated here, so that check mode can tell what would be installed on a host that has no tool for it yet.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Says what would be built, on a host without uv too. Whether the index has it shows when it is built.
  diff_mode:
    support: full
    description: The distributions, one a line.
  idempotent:
    support: full
    description: Compares the list, the interpreter and the installed distributions with what was built.
options:
  path:
    description: Where the environment shall be, as an absolute path. Its folder is made when it is missing.
    type: path
    required: true
  state:
    description: V(absent) removes the environment.
    type: str
    choices: [present, absent]
    default: present
  requirements:
    description:
      - The list, as text. Lines are C(NAME==VERSION ; marker --hash=sha256:…), as C(uv pip compile --generate-hashes) writes them. Options
        in the list are refused.
      - Wanted with O(state=present).
    type: str
  python:
    description:
      - The interpreter to make the environment of, as an absolute path or as a version such as V(3.11), which is looked for in
        C(/usr/bin) and C(/usr/local/bin).
    type: str
    default: /usr/bin/python3
  imports:
    description:
      - Modules to import in the new environment before it takes its place. When one cannot be imported, it does not.
      - They are imported as O(owner), who decides what happens then, and who has to be able to reach the environment and the interpreter.
      - What they load stays compiled, so that it starts quickly for who may not write there.
    type: list
    elements: str
    default: []
  owner:
    description: Owner of all files of the environment. It must exist.
    type: str
  group:
    description: Group of all files of the environment. It must exist.
    type: str
  mode:
    description: Mode of the environment's folder, as octal digits. V(0755) for a new one when left out.
    type: str
  index_url:
    description:
      - Address of a simple index to install from. uv's default index when left out; pip's configuration counts for installing uv alone.
      - A password in it is shown nowhere.
    type: str
  torch_index:
    description:
      - Address above PyTorch's own indexes, as V(https://download.pytorch.org/whl). C(torch), C(torchvision) and C(torchaudio) are taken
        from there, and nothing else, where O(requirements) has them with a build's label; V(torch==2.11.0+cu128) from the folder C(cu128).
      - When left out, they are taken from O(index_url) like all others. A password in it is shown nowhere.
    type: str
    version_added: 0.7.0
  proxy:
    description: HTTP proxy to install through, as a URL. A password in it is shown nowhere.
    type: str
  uv_path:
    description: Environment that has uv as C(bin/uv).
    type: path
    default: /opt/mlinfra/uv
  uv_requirements:
    description:
      - The list that pins uv itself. Where O(uv_path) has another uv or none, it is installed from this list by Python's own venv and pip,
        when there is something to build.
      - When left out, uv must be there.
    type: str
  compile_bytecode:
    description: Compile all modules while building, those too that O(imports) do not load. That takes longer than the rest.
    type: bool
    default: false
  allow_build:
    description:
      - Build packages from source that have no wheel. What that needs is not pinned, and runs as root.
    type: bool
    default: false
  cache_dir:
    description: Folder of downloads to keep for further environments on the host. None is kept when left out.
    type: path
  timeout:
    description: Seconds that the installer may take.
    type: int
    default: 1800
  lock_timeout:
    description: Seconds to wait for another run that makes an environment on the same host.
    type: int
    default: 600
seealso:
  - module: mlinfra.hosts.uv_environment_info
"""

EXAMPLES = r"""
- name: Give the host what training takes
  mlinfra.hosts.uv_environment:
    path: /opt/mlinfra/envs/training
    requirements: "{{ lookup('ansible.builtin.file', 'training.txt') }}"
    uv_requirements: "{{ lookup('ansible.builtin.file', 'uv.txt') }}"
    imports: [sklearn, mlflow]
  become: true

- name: Remove an environment
  mlinfra.hosts.uv_environment:
    path: /opt/mlinfra/envs/training
    state: absent
  become: true
"""

RETURN = r"""
reasons:
  description: Why the environment was built, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["its packages were changed: numpy 2.4.6 is missing"]
folder:
  description: Where O(path) points at; null when there is none.
  returned: success
  type: str
  sample: /opt/mlinfra/envs/.training-1d4f9c02-x8w1k2_a
kept:
  description: Folders of replaced environments that running processes still use. The next change removes them.
  returned: success
  type: list
  elements: str
python:
  description: The interpreter, with its version as V(3.11).
  returned: success and O(state=present)
  type: dict
  sample: {executable: /usr/bin/python3.11, minor_version: "3.11"}
installed:
  description: Versions by name of distribution, as they are now or would be.
  returned: success
  type: dict
  sample: {numpy: 2.4.6}
digest:
  description: SHA-256 of RV(installed), equal on hosts that have the same.
  returned: success
  type: str
requirements_sha256:
  description: SHA-256 of O(requirements), without white space at its ends.
  returned: success and O(state=present)
  type: str
added:
  description: Distributions that were added, with their versions.
  returned: success
  type: dict
removed:
  description: Distributions that were removed, with their versions.
  returned: success
  type: dict
updated:
  description: Distributions whose version has changed, each with a list of the old one and the new one.
  returned: success
  type: dict
  sample: {numpy: [2.4.5, 2.4.6]}
uv_installed:
  description: Whether uv was installed or replaced.
  returned: success
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import (
    build,
    installed,
    installers,
    interpreter,
    lock,
    secrets,
    state,
)

ERRORS = (build.BuildError, interpreter.InterpreterError, lock.LockError, state.StateError)
ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "requirements": {"type": "str"},
    "python": {"type": "str", "default": interpreter.SYSTEM},
    "imports": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "index_url": {"type": "str", "no_log": True},
    "torch_index": {"type": "str", "no_log": True},
    "proxy": {"type": "str", "no_log": True},
    "uv_path": {"type": "path", "default": "/opt/mlinfra/uv"},
    "uv_requirements": {"type": "str"},
    "compile_bytecode": {"type": "bool", "default": False},
    "allow_build": {"type": "bool", "default": False},
    "cache_dir": {"type": "path"},
    "timeout": {"type": "int", "default": 1800},
    "lock_timeout": {"type": "int", "default": 600},
}


def problems(wish):
    """Mistakes in the options that need no look at the host."""
    found = ["%s is %s: expected an absolute path" % (name, wish[name]) for name in ("path", "uv_path") if not os.path.isabs(wish[name])]
    try:
        if wish["mode"] is not None and not 0 <= int(wish["mode"], 8) <= 0o7777:
            raise ValueError
    except ValueError:
        found.append("mode is %s: expected octal digits, as 0755" % wish["mode"])
    return found


def answer(before, after, **more):
    """The result's part that tells what the environment has and had."""
    difference = installed.difference(before, after)
    return dict(
        more,
        installed=after,
        digest=installed.digest(after),
        added=difference["added"],
        removed=difference["removed"],
        updated=difference["changed"],
        diff={"before": installed.lines(before), "after": installed.lines(after)},
    )


def absent(module):
    """The result of removing the environment."""
    path = module.params["path"]
    seen = state.look(path)
    there = os.path.islink(path) or bool(state.folders(path))
    if there and not module.check_mode:
        with build.one_at_a_time(path, module.params["lock_timeout"]):
            build.remove(path)
    before = seen["installed"] if seen else {}
    return answer(before, {}, changed=there, reasons=[], folder=None, kept=[], uv_installed=False)


def present(module):
    """The result of making the environment what it shall be."""
    wish = module.params
    requirements = lock.parse(wish["requirements"])
    sha256 = lock.digest(wish["requirements"])
    python = os.path.realpath(interpreter.path_of(wish["python"]))
    found = None
    version = interpreter.minor_version(python)
    if version is None:
        found = interpreter.probe(python)
        version = found["markers"]["python_version"]
    mode = None if wish["mode"] is None else int(wish["mode"], 8)

    def compare():
        seen = state.look(wish["path"])
        return seen, state.reasons(seen, sha256, python, version), state.attributes(seen, wish["owner"], wish["group"], mode)

    seen, reasons, attributes = compare()
    result = {"folder": seen["folder"] if seen else None, "kept": [], "uv_installed": False}
    before = after = seen["installed"] if seen else {}
    if reasons:
        found = found or interpreter.probe(python)
        after = lock.expected(requirements, found["markers"])
    if module.check_mode or not (reasons or attributes):
        changed = bool(reasons or attributes)
    else:
        with build.one_at_a_time(wish["path"], wish["lock_timeout"]):
            seen, reasons, attributes = compare()  # the run that was waited for may have made it
            changed = bool(reasons or attributes)
            if reasons:
                settings = build.Settings(*(wish[name] for name in build.Settings._fields))
                uv, result["uv_installed"] = installers.provide_uv(wish["uv_path"], wish["uv_requirements"], settings, found)
                wished = build.Wish(wish["path"], wish["requirements"], python, wish["imports"], wish["owner"], wish["group"], mode)
                result["folder"], result["kept"] = build.make(wished, found, installers.with_uv(uv, settings, found, wish["torch_index"]))
            elif attributes:
                build.own(seen["folder"], wish["owner"], wish["group"])
                os.chmod(seen["folder"], seen["mode"] if mode is None else mode)
            after = state.look(wish["path"])["installed"]
    reasons = reasons + ["its %s is not %s" % (name, wish[name]) for name in sorted(attributes) if not reasons]
    python = {"executable": python, "minor_version": version}
    return answer(before, after, changed=changed, reasons=reasons, python=python, requirements_sha256=sha256, **result)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, required_if=[("state", "present", ["requirements"])])
    # The journal has no address at all, for it is written before this; what is returned lacks only what is secret in them.
    for name in ("index_url", "torch_index", "proxy"):
        module.no_log_values.discard(module.params[name])
        module.no_log_values.update(secrets.of_url(module.params[name]))
    found = problems(module.params)
    if found:
        module.fail_json(msg="\n".join(found))
    try:
        result = absent(module) if module.params["state"] == "absent" else present(module)
    except ERRORS as error:
        module.fail_json(msg="%s: %s" % (module.params["path"], secrets.hide(str(error))))
    except OSError as error:
        module.fail_json(msg="%s cannot be changed: %s. Is the task run with become: true?" % (module.params["path"], error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
