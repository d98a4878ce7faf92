#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_exporter_preflight
short_description: Check on a host what node_exporter needs there, and read what is installed
version_added: 0.1.0
description:
  - Reads once, in one transfer, all that role P(mlinfra.hosts.node_exporter#role) decides by on a host.
  - Fails with every problem found, before anything is changed. It changes nothing itself.
  - Wants root, or it cannot tell which process holds a port.
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
  source:
    description: Where the exporter comes from.
    type: str
    choices: [package, release]
    required: true
  version:
    description: The wished release, with O(source=release).
    type: str
  release_url:
    description: Base URL of the releases, with O(source=release).
    type: str
  sha256:
    description: Checksum of the release's tarball by architecture (V(amd64), V(arm64)), with O(source=release).
    type: dict
  architecture:
    description: This host's architecture as release file names have it.
    type: str
    default: amd64
  binary:
    description: Path of the exporter's program.
    type: path
    required: true
  unit:
    description: Name of the exporter's systemd service, whose own socket is no conflict.
    type: str
    required: true
  user:
    description: User that the service runs as. Its primary group has the same name.
    type: str
    required: true
  groups:
    description: Further groups of the service.
    type: list
    elements: str
    default: []
  listen_address:
    description: Address that the exporter shall listen on.
    type: str
    required: true
  port:
    description: TCP port that the exporter shall listen on.
    type: int
    required: true
  collectors_enabled:
    description: Collectors that shall run besides the defaults.
    type: list
    elements: str
    default: []
  collectors_disabled:
    description: Collectors of the defaults that shall not run.
    type: list
    elements: str
    default: []
  textfile_directory:
    description: Folder of the textfile collector.
    type: str
  cert_file:
    description: Certificate on the host that the service shall read.
    type: str
  key_file:
    description: Private key on the host that the service shall read.
    type: str
  web_config:
    description: The exporter's web configuration file, whose presence is read.
    type: path
  unit_path:
    description: File by which the role sets up the service; RV(service) tells what it holds.
    type: path
  directories:
    description: Folders that shall be there; RV(directories) names those that are not as wished.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the folder.
        type: str
        required: true
      owner:
        description: Its owner.
        type: str
        required: true
      group:
        description: Its group.
        type: str
        required: true
      mode:
        description: Its mode, as four octal digits.
        type: str
        required: true
  scrape_url:
    description:
      - Where the metrics are. With it an exporter whose service runs is scraped at once, without waiting.
      - Leave it out where the exporter wants TLS or a password, and use M(mlinfra.hosts.exporter_scrape_info).
    type: str
    version_added: 0.7.0
  scrape_metrics:
    description: Names of the metrics to return of that page.
    type: list
    elements: str
    default: []
    version_added: 0.7.0
"""

EXAMPLES = r"""
- name: See whether the distribution's node_exporter can listen on port 9100
  mlinfra.hosts.node_exporter_preflight:
    source: package
    binary: /usr/bin/prometheus-node-exporter
    unit: prometheus-node-exporter.service
    user: node_exporter
    listen_address: 0.0.0.0
    port: 9100
  become: true
"""

RETURN = r"""
version:
  description: Version of the installed exporter; null when there is none.
  returned: success
  type: str
  sample: 1.9.0
installed:
  description: Whether that is the wished one, so that nothing is to be installed.
  returned: success
  type: bool
unit_file:
  description: Where systemd finds the unit; null when it is not there.
  returned: success
  type: str
  sample: /usr/lib/systemd/system/prometheus-node-exporter.service
service:
  description:
    - The service, and the file of O(unit_path).
    - C(stale) tells that a file of the unit was changed after systemd read it, or that the service runs since before its program or
      the file of O(unit_path) were changed. C(sha256) is null when that file is not there.
  returned: success
  type: dict
  sample: {active: true, enabled: true, stale: false, sha256: a378977155fb, mode: "0644", owner: root}
user_ready:
  description: Whether the service's user and its group are there.
  returned: success
  type: bool
collectors:
  description: Collectors that the installed exporter knows, each with whether it runs by default.
  returned: success
  type: dict
  sample: {cpu: true, systemd: false}
web_config:
  description: Whether O(web_config) is there.
  returned: success
  type: bool
listeners:
  description: What listens on the wished port, on any address.
  returned: success
  type: list
  elements: dict
  sample: [{address: 0.0.0.0, port: 9100, pid: 312, command: nginx, unit: nginx.service}]
directories:
  description: Those of O(directories) that are missing, or have another owner, group or mode.
  returned: success
  type: list
  elements: dict
scrape:
  description:
    - The metrics of O(scrape_metrics) at O(scrape_url), as M(mlinfra.hosts.exporter_scrape_info) returns them.
    - Null when it was not asked for, or the service does not run, or does not answer with metrics.
  returned: success
  type: dict
  sample: {samples: [{name: node_scrape_collector_success, labels: {collector: cpu}, value: 1.0}], size: 91234}
"""

import grp
import os
import pwd
import stat
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import collectors, exposition, preflight, scrape
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import listeners, paths, units

UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")

ARGUMENTS = {
    "source": {"type": "str", "choices": ["package", "release"], "required": True},
    "version": {"type": "str"},
    "release_url": {"type": "str"},
    "sha256": {"type": "dict"},
    "architecture": {"type": "str", "default": "amd64"},
    "binary": {"type": "path", "required": True},
    "unit": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "groups": {"type": "list", "elements": "str", "default": []},
    "listen_address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "collectors_enabled": {"type": "list", "elements": "str", "default": []},
    "collectors_disabled": {"type": "list", "elements": "str", "default": []},
    "textfile_directory": {"type": "str"},
    "cert_file": {"type": "str"},
    "key_file": {"type": "str", "no_log": False},
    "web_config": {"type": "path"},
    "unit_path": {"type": "path"},
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {name: {"type": "str", "required": True} for name in ("path", "owner", "group", "mode")},
    },
    "scrape_url": {"type": "str"},
    "scrape_metrics": {"type": "list", "elements": "str", "default": []},
}
RETURNED = ("version", "collectors", "unit_file", "service", "user_ready", "web_config", "listeners", "directories", "scrape")
#: Seconds that a service which runs has for its metrics here. One that needs longer is judged by exporter_scrape_info, which waits.
PROMPTLY = 5


def ids(user, groups):
    """(uid, {gids}) that the service will have; (None, gids of the groups that exist) before the user is there."""
    gids = {entry.gr_gid for entry in grp.getgrall() if entry.gr_name in groups}
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return None, gids
    return account.pw_uid, gids | set(os.getgrouplist(user, account.pw_gid))


def allows(status, uid, gids, bit):
    """Whether the mode lets this user do what `bit` (4 read, 1 enter) says, by the class that applies to it (POSIX)."""
    if status.st_uid == uid:
        return bool(status.st_mode >> 6 & bit)
    if status.st_gid in gids:
        return bool(status.st_mode >> 3 & bit)
    return bool(status.st_mode & bit)


def look_at_file(path, uid, gids):
    """{exists, readable, mode, owner, group} of a file that the service's user shall read."""
    try:
        status = os.stat(path)
    except OSError:
        return {"exists": False, "readable": False, "mode": None, "owner": None, "group": None}
    parent, reachable = os.path.dirname(os.path.realpath(path)), True
    while parent != "/":
        reachable = reachable and allows(os.stat(parent), uid, gids, 1)
        parent = os.path.dirname(parent)
    return {
        "exists": stat.S_ISREG(status.st_mode),
        "readable": reachable and allows(status, uid, gids, 4),
        "mode": paths.mode(status),
        "owner": paths.owner(status),
        "group": paths.group(status),
    }


def user_ready(user):
    """Whether the user exists with a primary group of its own name."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name == user
    except KeyError:
        return False


def output_of(module, binary, argument):
    """What the program prints (older releases print their version to stderr)."""
    unused, out, err = module.run_command([binary, argument])
    return out + err


def changed_since(path, began):
    """Whether a file came, or was changed, after the process began (seconds since 1970; None for none).

    By the inode's time: a program out of an archive keeps the archive's modification time. A time to come is no time to go by.
    """
    if not path or not began or not os.path.exists(path):
        return False
    return began < os.stat(path).st_ctime <= time.time()


def service(module):
    """{active, enabled, stale, sha256, mode, owner} of the unit and of the file that the role writes for it."""
    wish = module.params
    answer = ""
    if module.get_bin_path("systemctl"):
        answer = module.run_command(units.question([wish["unit"]]), environ_update={"SYSTEMD_COLORS": "0"})[1]
    unit = units.parse(answer, [wish["unit"]])[wish["unit"]]
    file = paths.look(wish["unit_path"]) if wish["unit_path"] else paths.ABSENT
    began = unit["started"] and time.time() - time.monotonic() + unit["started"]
    return {
        "active": unit["active"] == "active",
        "enabled": unit["enabled"] == "enabled",
        "stale": unit["stale"] or any(changed_since(path, began) for path in (wish["unit_path"], wish["binary"])),
        "sha256": file["sha256"],
        "mode": file["mode"],
        "owner": file["owner"],
    }


def scraped(wish, unit):
    """{samples, size} of a service that runs; None when that was not asked for, or it does not answer with metrics."""
    if not wish["scrape_url"] or not unit or not unit["active"]:
        return None
    try:
        return scrape.told(scrape.fetch(wish["scrape_url"], timeout=PROMPTLY), wish["scrape_metrics"])
    except (OSError, exposition.ExpositionError):
        return None


def look(module):
    """Everything that preflight.host_problems wants to know, and what the role decides by."""
    wish = module.params
    there = os.access(wish["binary"], os.X_OK)
    uid, gids = ids(wish["user"], wish["groups"])
    files = [os.path.join(folder, wish["unit"]) for folder in UNIT_FOLDERS]
    runs = os.path.isdir("/run/systemd/system")
    unit = service(module) if runs else None
    return {
        "systemd": runs,
        "service": unit,
        "version": collectors.parse_version(output_of(module, wish["binary"], "--version")) if there else None,
        "collectors": collectors.parse_help(output_of(module, wish["binary"], "--help")) if there else {},
        "unit_file": next((file for file in files if os.path.exists(file)), None),
        "user_ready": user_ready(wish["user"]),
        "web_config": bool(wish["web_config"]) and os.path.exists(wish["web_config"]),
        "listeners": listeners.listening(wish["port"]),
        "files": {path: look_at_file(path, uid, gids) for unused, path in preflight.files(wish)},
        "directories": [folder for folder in wish["directories"] if not paths.as_wished(folder)],
        "scrape": scraped(wish, unit),
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    problems = preflight.input_problems(module.params)
    if not problems:
        seen = look(module)
        problems = preflight.host_problems(module.params, seen)
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False, installed=preflight.stays(module.params, seen), **{key: seen[key] for key in RETURNED})


if __name__ == "__main__":
    main()
