#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: framework_lock
short_description: A list of requirements with hashes for the build of torch, tensorflow or jax that fits a host's pins
version_added: 0.5.0
description:
  - Decides from pins of M(mlinfra.hosts.gpu_resolve) what to ask the package index for, has C(uv pip compile) pin it with all that it
    depends on and with hashes, and judges the CUDA that the list brings by the pinned driver and GPUs. A list that does not fit is refused
    and not written.
  - Where the build of the default index is not for the CUDA that was resolved, or does not run with the pinned driver and GPUs, another is
    asked for. C(torch) comes from PyTorch's index for that CUDA (O(torch_index)); of C(tensorflow) and C(jax), whose lists take CUDA's
    newest libraries, the libraries are held to the newest CUDA that the driver runs.
  - A list that was made for the same wish is only read and judged again. It moves with O(upgrade) alone, so commit it.
  - Runs where the list shall be, mostly on the controller. M(mlinfra.hosts.uv_environment) makes the environment of it.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes]
attributes:
  check_mode:
    support: full
    details: Does not ask the index, so a list that is not there yet is not returned.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  framework:
    description: The framework with its release, as V(torch==2.9.1), V(tensorflow==2.19.0) or V(jax==0.7.2).
    type: str
    required: true
  pins:
    description: Pins of M(mlinfra.hosts.gpu_resolve). Empty for hosts without a GPU, where nothing is judged.
    type: dict
    default: {}
  packages:
    description: Further requirements of the same environment, as V(numpy) or V(transformers==5.0.0).
    type: list
    elements: str
    default: []
  dest:
    description: Path of the list.
    type: path
    required: true
  python_version:
    description: Lowest Python that the list shall hold for, as V(3.11).
    type: str
    default: "3.11"
  upgrade:
    description: Make the list anew, with the newest of what is not pinned.
    type: bool
    default: false
  index_url:
    description: Address of a simple index to take the packages from. uv's default index when left out. A password in it is shown nowhere.
    type: str
  torch_index:
    description:
      - Address above PyTorch's own indexes, which are a folder for each CUDA, as V(https://download.pytorch.org/whl), or above a mirror.
      - C(torch), C(torchvision) and C(torchaudio) are taken from there and all else from O(index_url), whatever either has besides. When
        left out, the default index's build of torch is the only one. A password in it is shown nowhere.
      - Where it has no such build or does not answer, the default index's is taken if it runs with the pins, with a warning.
    type: str
    version_added: 0.7.0
  proxy:
    description: HTTP proxy, as a URL. A password in it is shown nowhere.
    type: str
  uv_path:
    description: Environment to install uv into when there is none in C(PATH).
    type: path
    default: ~/.local/share/mlinfra/uv
  uv_requirements:
    description: The list that pins uv itself, for that.
    type: str
  timeout:
    description: Seconds that uv may take.
    type: int
    default: 600
seealso:
  - module: mlinfra.hosts.gpu_resolve
  - module: mlinfra.hosts.uv_environment
"""

EXAMPLES = r"""
- name: Pin PyTorch for the GPUs of these hosts
  mlinfra.hosts.framework_lock:
    framework: torch==2.9.1
    pins: "{{ pins }}"
    packages: [transformers]
    dest: "{{ inventory_dir }}/locks/torch.txt"
    torch_index: https://download.pytorch.org/whl
  delegate_to: localhost
"""

RETURN = r"""
requirement:
  description: What the index is asked for.
  returned: success
  type: str
  sample: jax[cuda12]==0.7.2
cuda:
  description: The CUDA release that the list brings; null when it brings none, or is not there yet.
  returned: success
  type: str
  sample: "12.8"
torch_index:
  description: The index that torch's own packages of the list are of; null when all are of the default one. A password in it is hidden.
  returned: success
  type: str
  sample: https://download.pytorch.org/whl/cu128
  version_added: 0.7.0
text:
  description: The list; null in check mode when it is not there yet.
  returned: success
  type: str
"""

import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import kept_program
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import (
    build,
    failures,
    framework,
    installers,
    interpreter,
    lock,
    secrets,
    torch_index,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import builds, cuda, second_build

ARGUMENTS = {
    "framework": {"type": "str", "required": True},
    "pins": {"type": "dict", "default": {}},
    "packages": {"type": "list", "elements": "str", "default": []},
    "dest": {"type": "path", "required": True},
    "python_version": {"type": "str", "default": framework.PYTHON},
    "upgrade": {"type": "bool", "default": False},
    "index_url": {"type": "str", "no_log": True},
    "torch_index": {"type": "str", "no_log": True},
    "proxy": {"type": "str", "no_log": True},
    "uv_path": {"type": "path", "default": "~/.local/share/mlinfra/uv"},
    "uv_requirements": {"type": "str"},
    "timeout": {"type": "int", "default": 600},
}


class Refused(Exception):
    """There is no such list; the message says why. Nothing was written."""


def uv(params, settings):
    """Path of a uv: the one in PATH, else one that is installed for this."""
    there = shutil.which("uv")
    if there:
        return there
    with build.one_at_a_time(params["uv_path"], params["timeout"]):
        return installers.provide_uv(params["uv_path"], params["uv_requirements"], settings, interpreter.probe(interpreter.SYSTEM))[0]


def compiled(params, requirements, address=None):
    """The list as uv makes it: one version of a package for all Pythons and processors, as hosts of different releases compute the same.

    address: of the index that torch's own packages are taken from; the default one when None.
    """
    settings = build.Settings(params["index_url"], params["proxy"], None, False, False, params["timeout"])
    scratch = tempfile.mkdtemp(prefix="mlinfra-lock-")
    wish = [*requirements, *params["packages"]]
    try:
        source, target = (os.path.join(scratch, name) for name in ("pyproject.toml" if address else "wish.in", "list.txt"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(torch_index.project(wish, params["python_version"], address) if address else "\n".join(wish) + "\n")
        environment = build.installer_environment(settings, scratch)
        environment.update(UV_NO_CONFIG="1", UV_NO_PROGRESS="1", UV_PYTHON_DOWNLOADS="never", UV_CACHE_DIR=os.path.join(scratch, "cache"))
        environment.setdefault("UV_SYSTEM_CERTS", "1")
        if params["index_url"]:
            environment["UV_DEFAULT_INDEX"] = params["index_url"]
        options = ["--universal", "--fork-strategy", "fewest", "--python-version", params["python_version"], "--no-annotate", "--no-header"]
        command = [uv(params, settings), "pip", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url", *options]
        code, output = build.run([*command, "--output-file", target, source], environment, params["timeout"])
        if code:
            index = build.index_name(settings) if address is None else "%s (torch_index) or the default index" % secrets.hide(address)
            raise Refused(failures.explain(output, params["python_version"], index))
        return read(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def made(module, requirement):
    """The list without its first line: the default index's where that is what the pins want, else with another build."""
    params = module.params
    first = compiled(params, [requirement])
    step = second_build.step(params["framework"], first, params["pins"])
    if step is None:
        return first
    problems = framework.problems(params["framework"], first, params["pins"])
    if step["label"] and not params["torch_index"]:
        why = "the one for CUDA %s is on PyTorch's own index, and no torch_index (python_env_framework_index) is given" % cuda.text(
            step["cuda"]
        )
    else:
        try:
            return second(params, requirement, step)
        except (Refused, build.BuildError) as error:
            why = "the one for CUDA %s cannot be had: %s" % (cuda.text(step["cuda"]), error)
    if problems:
        raise Refused("%s\nOf others, %s" % ("\n".join(problems), why))
    module.warn(secrets.hide("%s; %s." % (second_build.told(params["framework"], params["pins"], first), why.rstrip("."))))
    return first


def second(params, requirement, step):
    """The list with the build of second_build.step. Raises Refused."""
    address = torch_index.url(params["torch_index"], step["label"]) if step["label"] else None
    text = compiled(params, [requirement, *step["requirements"]], address)
    stray = torch_index.unnamed(text, [requirement, *params["packages"]]) if address else []
    if stray:
        message = "%s would come of the default index, and are of another build: name them in packages (python_env_framework_packages)"
        raise Refused(message % ", ".join(stray))
    problems = framework.problems(params["framework"], text, params["pins"])
    if problems:
        raise Refused("\n".join(problems))
    return torch_index.MARK + text if address else text


def run(module):
    params = module.params
    chosen = builds.choose(params["framework"], params["pins"])
    if chosen["problems"]:
        raise Refused("\n".join(chosen["problems"]))
    mark = framework.mark_of(chosen["requirement"], params["packages"], params["python_version"])
    before = read(params["dest"])
    due = params["upgrade"] or not before.startswith(mark)
    text = before if not due else None if module.check_mode else mark + made(module, chosen["requirement"])
    if text is not None:
        problems = framework.problems(params["framework"], text, params["pins"])
        if problems:
            if not due:
                problems.append("The list was made for other pins: remove %s, or set upgrade, to have it made anew." % params["dest"])
            raise Refused("\n".join(problems))
    changed = due if text is None else text != before
    if changed and not module.check_mode:
        kept_program.write({params["dest"]: text})
    brings = builds.cuda_of(text or "")
    own = torch_index.split(text, params["torch_index"]) if params["torch_index"] and torch_index.MARK in (text or "") else []
    return {
        "changed": changed,
        "requirement": chosen["requirement"],
        "cuda": cuda.text(brings) if brings else None,
        "torch_index": secrets.hide(own[0][0]) if own else None,
        "text": text,
        "diff": {"before": before, "after": mark if text is None else text},
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    for name in ("index_url", "torch_index", "proxy"):
        module.no_log_values.discard(module.params[name])
        module.no_log_values.update(secrets.of_url(module.params[name]))
    try:
        result = run(module)
    except (Refused, build.BuildError, interpreter.InterpreterError, lock.LockError) as error:
        module.fail_json(msg=secrets.hide("%s: %s" % (module.params["dest"], error)))
    except OSError as error:
        module.fail_json(msg="%s cannot be written: %s. Choose a dest where this user may write." % (module.params["dest"], error.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
