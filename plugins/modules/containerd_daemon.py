#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: containerd_daemon
short_description: Merge settings into containerd's config.toml, and make the daemon run with them
version_added: 0.2.0
description:
  - Edits the file that is there line by line. Comments, order, unknown keys, owner and mode stay.
    The file as it was before the first change is kept beside it, as C(config.toml.mlinfra-original).
  - Refuses a file that is not TOML, and a result that C(containerd config dump) does not take, before anything is written.
  - Starts and enables the daemon, and restarts it when its settings changed. Running containers go on over a restart; one that would come
    while containers with GPUs run is refused all the same, unless O(interrupt) is set.
  - Another C(root) is refused while the present one has images and the new one none, unless O(abandon_data) is set; also one on a file
    system that the overlayfs snapshotter does not work on.
  - A daemon that does not come back, or whose plugin cri fails then, gets its former file again.
  - Wants Python 3.11 or later on the host, whose standard library reads TOML, or the package C(tomli)
    (C(python3-tomli) of Debian and Ubuntu).
  - A restart that was refused, or that a run did not live to make, is made by the next run, although the files are as wished by then.
    A note in C(/run/mlinfra) says which process of the daemon has not read them.
author:
  - mlinfra.hosts contributors (@mlinfra)
seealso:
  - name: containerd's configuration file
    description: The keys of config.toml.
    link: https://github.com/containerd/containerd/blob/main/docs/man/containerd-config.toml.5.md
extends_documentation_fragment:
  - mlinfra.hosts.attributes
  - mlinfra.hosts.daemon_restart
attributes:
  check_mode:
    support: full
    details:
      - Works where containerd is not installed yet; the settings are then not shown to it.
  diff_mode:
    support: full
    details:
      - Passwords in URLs are left out.
  idempotent:
    support: full
options:
  path:
    description: The settings file.
    type: path
    default: /etc/containerd/config.toml
  settings:
    description:
      - Settings as a merge patch (as RFC 7396 has it for JSON). Tables are merged, lists and values replace what was there,
        null removes a key.
    type: dict
    default: {}
  unit:
    description: The daemon's systemd service.
    type: str
    default: containerd.service
  interrupt:
    description: Whether a restart may come while containers with GPUs run.
    type: bool
    default: false
  abandon_data:
    description: Whether another C(root) may leave behind what is in the present one.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Let Kubernetes' interface of containerd use cgroups as systemd has them
  mlinfra.hosts.containerd_daemon:
    settings:
      plugins:
        io.containerd.grpc.v1.cri:
          containerd:
            runtimes:
              runc:
                runtime_type: io.containerd.runc.v2
                options: {SystemdCgroup: true}
  become: true
"""

RETURN = r"""
path:
  description: The settings file.
  returned: success
  type: str
  sample: /etc/containerd/config.toml
changed_keys:
  description: Top-level keys that changed, or would.
  returned: success
  type: list
  elements: str
  sample: [plugins]
changed_files:
  description: Paths of O(files) that changed, or would.
  returned: success
  type: list
  elements: str
  sample: [/etc/docker/mlinfra-proxy.env]
action:
  description: What was done to the daemon, or would be.
  returned: success
  type: str
  sample: restart
original:
  description: The copy of the file as it was before this module changed it for the first time; null when there was none to copy.
  returned: success
  type: str
  sample: /etc/containerd/config.toml.mlinfra-original
"""

import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import (
    daemon,
    data_root,
    dockerd,
    pending,
    processes,
    settings,
    toml_settings,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.own_files import OwnFiles
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.service import Service, ServiceError
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings_file import SettingsFile

ARGUMENTS = {
    "path": {"type": "path", "default": "/etc/containerd/config.toml"},
    "settings": {"type": "dict", "default": {}},
    "unit": {"type": "str", "default": "containerd.service"},
    "restart": {"type": "bool", "default": False},
    "files": {"type": "dict", "default": {}, "no_log": True},
    "interrupt": {"type": "bool", "default": False},
    "abandon_data": {"type": "bool", "default": False},
}
ROOT = "/var/lib/containerd"
# The version of the file's format whose names of plugins this collection knows: that of containerd 1.3 to 1.7, which 2.0 still takes.
FORMAT = 2
OTHER_FORMAT = (
    "`containerd config migrate` prints an older file in the newer format; a file of containerd 2 that you do not need can be moved away."
)


def refusal(module, path, text):
    """Why the installed containerd does not take the text as its file; None when it does, or when none is installed."""
    program = module.get_bin_path("containerd", False)
    if not program:
        return None
    folder = tempfile.mkdtemp(prefix="mlinfra-")
    try:
        draft = os.path.join(folder, "config.toml")
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
        rc, _out, err = module.run_command([program, "--config", draft, "config", "dump"])
        said = err.strip().splitlines()[-1].replace(draft, path) if err.strip() else "it gave no reason"
        return (
            "%s would not be taken by containerd: %s. Nothing was changed. Change container_runtime_containerd or the file." % (path, said)
            if rc
            else None
        )
    finally:
        shutil.rmtree(folder)


def cri(module):
    """State of the plugin that Kubernetes talks to: ok, error, skip; None when there is none, or no daemon to ask."""
    if not module.get_bin_path("ctr"):
        return None
    _rc, out, _err = module.run_command(["ctr", "plugins", "list", "id==cri"])
    rows = [line.split() for line in out.splitlines()[1:] if line.split()]
    return rows[-1][-1] if rows else None


def root_problem(params, before, after):
    """Why images cannot be kept where the settings say from now on; None when they can."""
    old, new = (tables.get("root", ROOT) for tables in (before, after))
    if old == new:
        return None
    filled = [data_root.holds_data("containerd", root) for root in (old, new)]
    return data_root.problem(old, new, *filled, params["abandon_data"], "systemctl stop containerd") or data_root.file_system_problem(
        new, dockerd.file_system(data_root.nearest(new), data_root.mounts())
    )


def work(module):
    """The module's answer. Raises SettingsError and ServiceError."""
    params, path = module.params, module.params["path"]
    file, service, own = SettingsFile(path), Service(module, params["unit"]), OwnFiles(params["files"])
    before = toml_settings.parse(path, file.text)
    patch = params["settings"]
    if patch and not before:
        patch = {"version": FORMAT, **patch}
    version = (before or patch).get("version", 1)
    if patch.get("plugins") and version != FORMAT:
        raise settings.SettingsError(
            "%s has the format version %s, in which plugins have other names: expected %d. Nothing was changed. %s"
            % (path, version, FORMAT, OTHER_FORMAT)
        )
    after = toml_settings.edited(path, file.text, patch)
    keys = settings.changed_keys(before, toml_settings.parse(path, after))
    text = after if keys else None
    unread = params["restart"] or service.stale or pending.noted(service)
    act = "start" if not service.running else "restart" if keys or own.due or unread else "none"
    problems = [root_problem(params, before, toml_settings.parse(path, after))]
    problems.append(refusal(module, path, after) if act != "none" and after else None)
    if act == "restart" and not params["interrupt"]:
        problems.append(processes.gpu_problem(service.unit, processes.gpu_containers(), ", ".join(keys + own.due) or "its drop-ins"))
    problems = [problem for problem in problems if problem]
    if problems:
        if unread and act == "restart" and not module.check_mode:
            pending.note(service)
        raise settings.SettingsError("\n".join(problems))

    before_state = cri(module) if text is not None and service.running else None

    def apply():
        if act != "none":
            service.tell(act)
        # containerd runs on without a plugin that does not take its settings.
        if text is not None and before_state != "error" and cri(module) == "error":
            raise ServiceError(
                "containerd runs with these settings, but its plugin cri does not.\nIts journal ends with:\n%s" % service.journal()
            )

    return daemon.make(module, file, service, act, keys, text, apply, own)


def main():
    daemon.answer(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
