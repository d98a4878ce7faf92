#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cuda_toolkit
short_description: CUDA toolkits side by side on a Debian-like host, as one change that is undone when it fails
version_added: 0.5.0
description:
  - Installs CUDA toolkits from NVIDIA's repository beside each other, holds their packages, and makes one of them C(/usr/local/cuda) by
    C(update-alternatives). Role P(mlinfra.hosts.cuda_toolkit#role) calls it.
  - Refuses a release that the host's driver cannot run or that ended for its GPUs, and one that the repository does not have. The
    repository is read into a folder of its own and the installation is simulated before anything is changed.
  - When a step fails, packages, holds, files and the default are set back as they were.
  - The repository gets a low priority, so that it moves nothing else on the host, a driver of the distribution least of all.
  - Wants root, apt and dpkg.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes]
attributes:
  check_mode:
    support: full
    details: Reads the repository, but writes nothing outside of a temporary folder.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  versions:
    description: CUDA releases, as in V(12.8), or with their update as in V(12.8.1). Without one the newest update is installed once.
    type: list
    elements: str
    default: []
  default:
    description: Which of O(versions) is C(/usr/local/cuda). Without it the highest.
    type: str
  profile:
    description:
      - V(full) is C(cuda-toolkit-X-Y), with compiler and headers. V(runtime) is C(cuda-libraries-X-Y), the libraries that programs run
        with. Neither brings a driver.
    type: str
    choices: [runtime, full]
    default: full
  pinned:
    description: Exact versions of packages, as C(packages) of the pins of M(mlinfra.hosts.gpu_resolve). Others in it are not looked at.
    type: dict
    default: {}
  driver:
    description: Version of the host's driver, as in V(580.95.05). Empty where there is none yet; then it refuses nothing.
    type: str
    default: ""
  architectures:
    description: Architectures of the host's GPUs, as in V(ampere). Unknown names pass.
    type: list
    elements: str
    default: []
  mode:
    description:
      - V(compatible) wants the first driver branch that runs any release of the CUDA's major version (minor-version compatibility).
      - V(strict) wants at least the driver that the release itself brings.
    type: str
    choices: [compatible, strict]
    default: compatible
  remove_others:
    description: Whether to remove toolkits of other releases than O(versions).
    type: bool
    default: false
  hold:
    description: Hold the toolkits' packages, so that no upgrade moves them.
    type: bool
    default: true
  repository:
    description: URL of the flat apt repository of NVIDIA for this distribution and architecture.
    type: str
    required: true
  keyring:
    description: URL of the package C(cuda-keyring), which holds the key that the repository is signed with.
    type: str
    required: true
  keyring_sha256:
    description: SHA-256 of that package. Without it the key is trusted as the server sends it.
    type: str
  proxy:
    description: HTTP proxy for downloads, as a URL.
    type: str
  lock_timeout:
    description: Seconds to wait for another apt or dpkg.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Have two toolkits, of which 12.8 is the default
  mlinfra.hosts.cuda_toolkit:
    versions: ["12.8", "13.0"]
    default: "12.8"
    repository: https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/
    keyring: https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/cuda-keyring_1.1-1_all.deb
  become: true
"""

RETURN = r"""
wanted:
  description: Whether something had to be changed; the same as C(changed), for tasks that say themselves what counts as a change.
  returned: success
  type: bool
steps:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: [install cuda-toolkit-12-8 12.8.1-1, /usr/local/cuda is CUDA 12.8]
packages:
  description: The toolkits' own packages that make them up, with their versions; in check mode as they would be.
  returned: success
  type: dict
  sample: {cuda-toolkit-12-8: 12.8.1-1}
removed:
  description: Packages of other releases that were removed, or would be.
  returned: success
  type: list
  elements: str
others:
  description: Releases that are on the host and not in O(versions).
  returned: success
  type: list
  elements: str
  sample: ["12.4"]
"""

import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.cuda_toolkit import change, plan
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, stage, state

ARGUMENTS = {
    "versions": {"type": "list", "elements": "str", "default": []},
    "default": {"type": "str"},
    "profile": {"type": "str", "choices": ["runtime", "full"], "default": "full"},
    "pinned": {"type": "dict", "default": {}},
    "driver": {"type": "str", "default": ""},
    "architectures": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "choices": ["compatible", "strict"], "default": "compatible"},
    "remove_others": {"type": "bool", "default": False},
    "hold": {"type": "bool", "default": True},
    "repository": {"type": "str", "required": True},
    "keyring": {"type": "str", "required": True, "no_log": False},
    "keyring_sha256": {"type": "str", "no_log": False},
    "proxy": {"type": "str", "no_log": True},
    "lock_timeout": {"type": "int", "default": 300},
}


def run(module, folder):
    wish, seen = module.params, change.look()
    decided = plan.decide(wish, seen)
    change.refuse(decided["problems"])
    program = apt.Apt(module.run_command, wish["proxy"], wish["lock_timeout"])
    job = change.Change(wish, seen, decided, program, folder)
    changed = any(decided[key] for key in ("missing", "remove", "hold", "default", "files", "gone"))
    if changed:
        job.prepare(wish["keyring"], wish["keyring_sha256"], wish["proxy"])
    steps = job.steps()
    if changed and not module.check_mode:
        job.carry_out()
    wished = [plan.package(one, wish["profile"]) for one in plan.releases(wish)]
    kept = {name: state.installed(seen["packages"], name) for name in wished}
    pairs = {one[:2] for one in plan.releases(wish)}
    return {
        "changed": changed,
        "wanted": changed,
        "steps": steps,
        "packages": dict({name: version for name, version in kept.items() if version}, **job.picked),
        "removed": decided["remove"],
        "others": ["%d.%d" % one for one in plan.installed_releases(seen["packages"]) if one not in pairs],
        "diff": {"before": "", "after": "".join("%s\n" % step for step in steps)},
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if not os.path.exists("/var/lib/dpkg/status"):
        module.fail_json(msg="This host has no dpkg: toolkits are installed on Debian and Ubuntu only. Leave it out of the play.")
    folder = tempfile.mkdtemp(prefix="mlinfra-cuda-")
    try:
        result = run(module, folder)
    except (change.Refused, change.Broken, stage.Unusable) as error:
        result = {"failed": True, "msg": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if result.get("failed"):
        module.fail_json(msg=result["msg"].replace("nvidia_driver_repository", "cuda_toolkit_repository"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
