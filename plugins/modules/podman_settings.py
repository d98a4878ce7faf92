#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: podman_settings
short_description: Give podman settings and registries beside those of its user, and a place for its images
version_added: 0.4.0
description:
  - Writes files of its own into C(containers.conf.d) and C(registries.conf.d), and removes them when they would say nothing. What others
    wrote into C(containers.conf), C(registries.conf) and these folders stays as it is.
  - C(storage.conf) has no such folder, so the data root is edited into it. What else stands there stays, comments too, and the file as it
    was before the first change is kept beside it, as C(storage.conf.mlinfra-original).
  - Refuses files that are not TOML, a registry that somebody else's file describes, too, and a data root that would leave images,
    containers and volumes behind or whose file system overlay does not work on, before anything is written.
  - When podman does not run with what was written, all of it is taken back.
  - Wants Python 3.11 or later on the host, whose standard library reads TOML.
author:
  - mlinfra.hosts contributors (@mlinfra)
seealso:
  - name: containers.conf
    description: The tables of O(settings).
    link: https://github.com/containers/common/blob/main/docs/containers.conf.5.md
extends_documentation_fragment:
  - mlinfra.hosts.attributes
attributes:
  check_mode:
    support: full
    details:
      - Works where podman is not installed yet.
  diff_mode:
    support: full
    details:
      - Passwords in URLs are left out.
  idempotent:
    support: full
options:
  folder:
    description: Folder of podman's settings.
    type: path
    default: /etc/containers
  settings:
    description: Tables of C(containers.conf). They count more than what is said in the host's other files. A null leaves a key out.
    type: dict
    default: {}
  log_size:
    description:
      - How large a container's log file gets, as V(50m); it then begins anew. Only where neither another C(containers.conf) nor O(settings)
        says C(log_driver) or C(log_size_max). Containers write to a file then instead of the journal, which has a limit of its own.
    type: str
  registry_mirrors:
    description: URLs of mirrors of Docker Hub that are asked first.
    type: list
    elements: str
    default: []
  registries:
    description: Registries with mirrors of their own, or that are asked without a check of their certificate.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: HOST or HOST:PORT.
        type: str
        required: true
      insecure:
        description: Whether any certificate, or none, will do.
        type: bool
        default: false
      mirrors:
        description: URLs that are asked first.
        type: list
        elements: str
        default: []
      ca:
        description: Not used here. A certificate lies in C(certs.d).
        type: str
  data_root:
    description: Folder of images, containers and volumes of root's containers. What C(storage.conf) says when it is left out.
    type: path
  abandon_data:
    description: Whether another O(data_root) may leave behind what is in the present one.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask a mirror, keep images on the large disk, and limit logs
  mlinfra.hosts.podman_settings:
    registry_mirrors: ["https://mirror.example.org"]
    data_root: /data/containers
    log_size: 50m
  become: true
"""

RETURN = r"""
changed_files:
  description: Paths of the files that changed, or would.
  returned: success
  type: list
  elements: str
  sample: [/etc/containers/registries.conf.d/99-mlinfra.conf]
data_root:
  description: Where images and containers are kept.
  returned: success
  type: str
  sample: /var/lib/containers/storage
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import (
    daemon,
    data_root,
    dockerd,
    podman,
    registries,
    settings,
    toml_settings,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.service import ServiceError
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings_file import SettingsFile

ARGUMENTS = {
    "folder": {"type": "path", "default": "/etc/containers"},
    "settings": {"type": "dict", "default": {}},
    "log_size": {"type": "str"},
    "registry_mirrors": {"type": "list", "elements": "str", "default": []},
    "registries": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "insecure": {"type": "bool", "default": False},
            "mirrors": {"type": "list", "elements": "str", "default": []},
            "ca": {"type": "str"},
        },
    },
    "data_root": {"type": "path"},
    "abandon_data": {"type": "bool", "default": False},
}
OWN = "99-mlinfra.conf"
# What the distribution brings, in force while there is none in the folder.
DISTRIBUTION = "/usr/share/containers/storage.conf"


def others(folder, name):
    """Parsed files of others: the main one and its additions."""
    paths = [os.path.join(folder, name), *sorted(glob.glob(os.path.join(folder, name + ".d", "*.conf")))]
    return [toml_settings.parse(path, SettingsFile(path).text) for path in paths if os.path.basename(path) != OWN]


def wished(module):
    """([(SettingsFile, text to come)], data root to come). Raises SettingsError."""
    params, folder = module.params, module.params["folder"]
    problems = registries.problems("podman", params["registry_mirrors"], params["registries"])
    known = registries.of(params["registry_mirrors"], params["registries"])
    twice = registries.told_already(known, others(folder, "registries.conf"))
    containers, registry = (SettingsFile(os.path.join(folder, name + ".d", OWN)) for name in ("containers.conf", "registries.conf"))
    problems.append(podman.conflict(registry.path, twice))
    groups = [podman.log_group(params["log_size"])] if params["log_size"] else []
    tables = podman.wish(others(folder, "containers.conf"), params["settings"], groups)
    storage = SettingsFile(os.path.join(folder, "storage.conf"))
    now = storage.text or (SettingsFile(DISTRIBUTION).text if folder == ARGUMENTS["folder"]["default"] else "")
    old = podman.root_of(storage.path, now)
    new = params["data_root"] or old
    if new != old:
        kind = dockerd.file_system(data_root.nearest(new), data_root.mounts())
        problems.append(data_root.file_system_problem(new, kind))
        filled = [data_root.holds_data("podman", root) for root in (old, new)]
        problems.append(data_root.problem(old, new, *filled, params["abandon_data"], "stop containers, podman stop --all"))
    problems = [problem for problem in problems if problem]
    if problems:
        raise settings.SettingsError("\n".join(problems))
    files = [(containers, podman.text(containers.path, tables)), (registry, registries.podman(known))]
    return [*files, (storage, podman.storage(storage.path, now, new) if new != old else storage.text)], new


def put(file, text):
    """Write a file, or remove it when it would be empty."""
    if os.path.basename(file.path) != OWN:
        file.replace(text)
    elif text:
        os.replace(file.draft(text), file.path)
    else:
        os.unlink(file.path)


def make(module, changes):
    """Write all files, or none of them. Raises ServiceError with what podman says."""
    done = []
    try:
        for file, text in changes:
            done.append(file)
            put(file, text)
        if not module.get_bin_path("podman"):
            return
        rc, _out, err = module.run_command(["podman", "info"])
        if rc:
            said = err.strip().splitlines()[-1] if err.strip() else "status %d" % rc
            raise ServiceError("podman does not run with these settings: %s. All files are as they were before." % said)
    except (OSError, ServiceError):
        for file in done:
            file.restore()
        raise


def work(module):
    """The module's answer. Raises SettingsError, ServiceError and OSError."""
    files, root = wished(module)
    changes = [(file, text) for file, text in files if text != file.text]
    if changes and not module.check_mode:
        make(module, changes)
    diff = [{"before_header": file.path, "after_header": file.path, "before": file.text, "after": text} for file, text in changes]
    return {
        "changed": bool(changes),
        "changed_files": [file.path for file, _text in changes],
        "data_root": root,
        "diff": [{name: settings.without_passwords(value) for name, value in one.items()} for one in diff],
    }


def main():
    daemon.answer(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work, "folder")


if __name__ == "__main__":
    main()
