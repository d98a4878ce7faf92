#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon
short_description: Merge settings into Docker's daemon.json, and make the daemon run with them
version_added: 0.2.0
description:
  - Merges settings into the file that is there. Keys that it does not know, the file's owner, mode and indentation stay.
    The file as it was before the first change is kept beside it, as C(daemon.json.mlinfra-original).
  - Refuses a file that is not JSON, with line and column, and settings that C(dockerd) does not take together with the flags of its unit,
    before anything is written. Also refuses a data root on a file system that the overlay2 storage driver does not work on.
  - Starts and enables the daemon; reloads it when that is enough for the keys that changed, restarts it otherwise.
    A daemon that does not come back gets its former file again.
  - Before a restart, live restore is switched on in the running daemon when the settings say so, so that running containers survive it.
    A restart that would stop running containers, or that would come while containers with GPUs run, is refused, unless O(interrupt) is set.
  - Another data root is refused while the present one has images, containers or volumes and the new one none, unless
    O(abandon_data) is set.
  - A restart that was refused, or that a run did not live to make, is made by the next run, although the files are as wished by then.
    A note in C(/run/mlinfra) says which process of the daemon has not read them.
author:
  - mlinfra.hosts contributors (@mlinfra)
seealso:
  - name: Docker daemon configuration file
    description: The keys of daemon.json.
    link: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
extends_documentation_fragment:
  - mlinfra.hosts.attributes
  - mlinfra.hosts.daemon_restart
attributes:
  check_mode:
    support: full
    details:
      - Works where Docker is not installed yet; the settings are then not shown to C(dockerd).
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
    default: /etc/docker/daemon.json
  settings:
    description:
      - Settings as a JSON merge patch (RFC 7396). Dictionaries are merged, lists and values replace what was there, null removes a key.
    type: dict
    default: {}
  defaults:
    description:
      - Groups of settings that count where nobody said otherwise. A group is taken as a whole, when neither the file nor
        O(settings) has any of its top-level keys.
      - C(live-restore) is left out of them on a node of a swarm, where Docker refuses it.
    type: list
    elements: dict
    default: []
  additions:
    description:
      - Lists of which every entry shall be in the file's list of that name. Entries that are there stay.
      - Of dictionaries, entries that shall be in the file's dictionary of that name where it has none of their name.
      - O(settings) has the last word.
    type: dict
    default: {}
  abandon_data:
    description: Whether another data root may leave behind what is in the present one.
    type: bool
    default: false
  unit:
    description: The daemon's systemd service.
    type: str
    default: docker.service
  interrupt:
    description: Whether a restart may stop running containers, and come while containers with GPUs run.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep Docker's images on the large disk
  mlinfra.hosts.docker_daemon:
    settings:
      data-root: /data/docker
      registry-mirrors: ["https://mirror.example.org"]
    defaults:
      - {live-restore: true}
      - {log-driver: json-file, log-opts: {max-size: 50m}}
  become: true
"""

RETURN = r"""
path:
  description: The settings file.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
changed_keys:
  description: Top-level keys that changed, or would.
  returned: success
  type: list
  elements: str
  sample: [data-root, live-restore]
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
data_root:
  description: Where images and containers are kept.
  returned: success
  type: str
  sample: /var/lib/docker
original:
  description: The copy of the file as it was before this module changed it for the first time; null when there was none to copy.
  returned: success
  type: str
  sample: /etc/docker/daemon.json.mlinfra-original
"""

import json
import os
import shutil
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import (
    daemon,
    data_root,
    dockerd,
    json_settings,
    pending,
    processes,
    settings,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.data_root import mounts, nearest
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.own_files import OwnFiles
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.service import Service, ServiceError
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings_file import SettingsFile

ARGUMENTS = {
    "path": {"type": "path", "default": "/etc/docker/daemon.json"},
    "settings": {"type": "dict", "default": {}},
    "defaults": {"type": "list", "elements": "dict", "default": []},
    "additions": {"type": "dict", "default": {}},
    "abandon_data": {"type": "bool", "default": False},
    "unit": {"type": "str", "default": "docker.service"},
    "restart": {"type": "bool", "default": False},
    "files": {"type": "dict", "default": {}, "no_log": True},
    "interrupt": {"type": "bool", "default": False},
}


def information(module):
    """What the running daemon says of itself; {} when it does not answer, or has no client here."""
    if not module.get_bin_path("docker"):
        return {}
    rc, out, _err = module.run_command(["docker", "info", "--format", "{{json .}}"])
    try:
        return json.loads(out) if rc == 0 else {}
    except ValueError:
        return {}


def flags_of(service):
    """dockerd's flags in its unit, the variables of its EnvironmentFile put in."""
    environment = dockerd.environment_of("\n".join(service.state["Environment"].split()))
    for line in service.state["EnvironmentFiles"].splitlines():
        path = line.split(" (")[0]
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                environment.update(dockerd.environment_of(file.read()))
    return dockerd.flags(service.state["ExecStart"], environment)


def refusal(module, path, text, flags):
    """Why the installed dockerd does not take the text as its file; None when it does, or when none is installed."""
    program = module.get_bin_path("dockerd", False, ["/usr/sbin", "/usr/local/bin"])
    if not program:
        return None
    folder = tempfile.mkdtemp(prefix="mlinfra-")
    try:
        os.chmod(folder, 0o711)
        draft = os.path.join(folder, "daemon.json")
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
        command = [program, *flags, "--config-file", draft]
        _rc, out, err = module.run_command([*command, "--validate"])
        if dockerd.UNKNOWN_FLAG.search(out + err):
            shutil.chown(draft, "nobody")
            _rc, out, err = module.run_command(["setpriv", "--reuid", "nobody", "--clear-groups", "--regid", "nogroup", *command])
        return dockerd.refusal(path, out + err)
    finally:
        shutil.rmtree(folder)


def restart(module, service, live):
    """Restart the daemon; with `live`, only once the running one keeps its containers over it."""
    if live and service.running and not information(module).get("LiveRestoreEnabled"):
        service.tell("reload")
        deadline = time.monotonic() + 15
        while not information(module).get("LiveRestoreEnabled"):
            if time.monotonic() > deadline:
                raise ServiceError(
                    "%s did not switch live-restore on within 15 s of a reload, so a restart would stop containers.\n"
                    "Its journal ends with:\n%s" % (service.unit, service.journal())
                )
            time.sleep(0.2)
    service.tell("restart")


def wish(params, before, in_swarm):
    """The settings to come."""
    groups = [group for group in params["defaults"] if not (in_swarm and "live-restore" in group)]
    there = settings.merged(before, settings.extended(before, params["additions"]))
    return settings.merged(there, settings.with_defaults(there, params["settings"], groups))


def work(module):
    """The module's answer. Raises SettingsError and ServiceError."""
    params, path = module.params, module.params["path"]
    file, service, own = SettingsFile(path), Service(module, params["unit"]), OwnFiles(params["files"])
    before = json_settings.parse(path, file.text)
    after = wish(params, before, False)
    if service.running and after != before and information(module).get("Swarm", {}).get("LocalNodeState") == "active":
        after = wish(params, before, True)
    keys = settings.changed_keys(before, after)
    text = json_settings.render(after, file.text) if keys else None
    act = dockerd.action(keys, service.running)
    unread = params["restart"] or service.stale or pending.noted(service)
    if act in ("none", "reload") and (unread or own.due):
        act = "restart"
    former, root = (one.get("data-root", "/var/lib/docker") for one in (before, after))
    filled = [data_root.holds_data("docker", one) for one in (former, root)]
    problems = [data_root.problem(former, root, *filled, params["abandon_data"], "systemctl stop docker.socket docker")]
    if act != "none":
        problems.append(dockerd.file_system_problem(after, nearest(root), mounts()))
        problems.append(refusal(module, path, text or file.text or "{}", flags_of(service)))
    live = bool(after.get("live-restore"))
    containers = processes.shims("moby") if act == "restart" else 0
    if not params["interrupt"]:
        cause = ", ".join(keys + own.due) or "its drop-ins"
        stopped = dockerd.interruption(keys, containers, live, service.unit, cause)
        with_gpus = processes.gpu_containers("moby") if containers and not stopped else 0
        problems += [stopped, processes.gpu_problem(service.unit, with_gpus, cause)]
    problems = [problem for problem in problems if problem]
    if problems:
        if unread and act == "restart" and not module.check_mode:
            pending.note(service)
        raise settings.SettingsError("\n".join(problems))

    def apply():
        if act == "restart":
            restart(module, service, live and containers)
        elif act != "none":
            service.tell(act)

    return dict(daemon.make(module, file, service, act, keys, text, apply, own), data_root=root)


def main():
    daemon.answer(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
