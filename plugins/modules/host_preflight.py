#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_preflight
short_description: Read in one go what roles decide by on a host, and refuse a host that they cannot work on
version_added: 0.2.0
description:
  - Reads packages, units, files, ports, accounts, kernel modules, free space, settings in force and the platform in one transfer, for
    hardly more than a ping.
  - Fails with every problem that it finds, before anything is changed. It changes nothing itself.
  - Wants root, or it cannot tell which process holds a port or a lock.
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
  packages:
    description:
      - Names of packages to look for, as dpkg has them. C(name:architecture) asks for one of several architectures.
      - On a host without dpkg none is found.
    type: list
    elements: str
    default: []
  units:
    description: systemd units to look for, with their suffix.
    type: list
    elements: str
    default: []
  paths:
    description: Paths to look at. A link is not followed.
    type: list
    elements: str
    default: []
  contents:
    description:
      - Paths of small text files to read. A link is followed.
      - What holds a secret wants C(no_log) on the task.
    type: list
    elements: str
    default: []
    version_added: 0.7.0
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
        description: Its owner. Any when left out.
        type: str
      group:
        description: Its group. Any when left out.
        type: str
      mode:
        description: Its mode, as octal digits. Any when left out.
        type: str
  ports:
    description: TCP ports that a service of the role shall listen on. A port that something else holds is a problem.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      unit:
        description: Name of the service that may hold it already.
        type: str
      address:
        description: Address that it shall listen on.
        type: str
        default: 0.0.0.0
      setting:
        description: Variable that chooses the port, for the message.
        type: str
  users:
    description: Names of users to look for.
    type: list
    elements: str
    default: []
  kernel_modules:
    description: Names of kernel modules to look for.
    type: list
    elements: str
    default: []
  sysctl:
    description: Names of sysctls to read.
    type: list
    elements: str
    default: []
  limits:
    description: Limits of services to read, by the name that systemd has behind C(DefaultLimit).
    type: list
    elements: str
    default: []
  apt:
    description: Settings of apt to read, as C(apt-config dump) names them.
    type: list
    elements: str
    default: []
  free:
    description: Space that is needed. Too little of it is a problem.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of which the file system is meant. It need not be there yet.
        type: str
        required: true
      mib:
        description: MiB that are needed. V(0) only asks how much there is.
        type: int
        default: 0
      setting:
        description: Variable that chooses the path, for the message.
        type: str
      reason:
        description: What it is needed for, for the message.
        type: str
  systemd:
    description: Whether a host that does not run systemd is a problem.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: See what the host has of a web server that shall listen on port 5000
  mlinfra.hosts.host_preflight:
    packages: [nginx]
    units: [nginx.service]
    paths: [/etc/nginx/nginx.conf]
    ports:
      - {port: 5000, unit: nginx.service, setting: web_port}
    free:
      - {path: /var/lib/web, mib: 50, reason: its pages}
  become: true
  register: found

- name: Say whether it is installed
  ansible.builtin.debug:
    msg: "nginx {{ found.packages.nginx.version }} on {{ found.distribution }}, {{ found.units['nginx.service'].active }}"
"""

RETURN = r"""
ansible_facts:
  description:
    - What of this stays for as long as the run lasts, as fact C(mlinfra_platform), so that a role that wants no more need not read again.
    - RV(distribution), RV(distribution_major_version), RV(distribution_release), RV(os_family), RV(platform_names), RV(architecture),
      RV(deb_architecture), RV(virtualization) and RV(container).
  returned: success
  type: dict
  contains:
    mlinfra_platform:
      description: The platform.
      type: dict
      returned: success
      sample: {distribution: Debian, distribution_major_version: "12", architecture: x86_64, virtualization: kvm, container: false}
distribution:
  description: Name of the distribution, as in C(ansible_facts).
  returned: success
  type: str
  sample: Debian
distribution_major_version:
  description: Its major version; empty for a suite without any.
  returned: success
  type: str
  sample: "12"
distribution_release:
  description: Its code name.
  returned: success
  type: str
  sample: bookworm
os_family:
  description: Family of the distribution, as in C(ansible_facts).
  returned: success
  type: str
  sample: Debian
platform_names:
  description: Names for this platform in the tables of roles. The first one that a table has counts.
  returned: success
  type: list
  elements: str
  sample: [Debian-12, Debian-family-12]
architecture:
  description: Architecture of the kernel.
  returned: success
  type: str
  sample: x86_64
deb_architecture:
  description: The same as Debian names it.
  returned: success
  type: str
  sample: amd64
kernel:
  description: Release of the kernel that runs.
  returned: success
  type: str
  sample: 6.1.0-18-amd64
virtualization:
  description: What C(systemd-detect-virt) says. V(none) on bare metal; V(unknown) where it is missing.
  returned: success
  type: str
  sample: kvm
container:
  description: Whether that is a container, whose kernel, clock and most sysctls belong to the machine outside.
  returned: success
  type: bool
memory_mib:
  description: MiB of RAM.
  returned: success
  type: int
  sample: 15881
cpus:
  description: Number of processors.
  returned: success
  type: int
  sample: 4
packages:
  description: O(packages) by name. C(version) is null when the package is not unpacked.
  returned: success
  type: dict
  sample: {nginx: {version: 1.22.1-9, status: installed, held: false}}
broken_packages:
  description: Names of packages on this host that dpkg has not finished with.
  returned: success
  type: list
  elements: str
apt_lock:
  description: Whether another process uses apt or dpkg now, and which. C(pid) and C(command) are null when it cannot be seen.
  returned: success
  type: dict
  sample: {held: true, pid: 812, command: apt-get -y dist-upgrade, path: /var/lib/dpkg/lock-frontend}
units:
  description:
    - O(units) by name. C(enabled) is null for a unit that is not there.
    - C(stale) tells that a file of the unit was changed after systemd read it.
    - C(started) is when its main process began, in seconds of the monotonic clock; null when there is none.
  returned: success
  type: dict
  sample:
    nginx.service:
      exists: true
      load: loaded
      active: active
      sub: running
      enabled: enabled
      path: /lib/systemd/system/nginx.service
      stale: false
      started: 812.4
paths:
  description: O(paths) by path. C(sha256) is of regular files of at most 1 MiB; C(target) is a link's.
  returned: success
  type: dict
  sample:
    /etc/motd: {exists: true, kind: file, mode: "0644", owner: root, group: root, size: 286, sha256: a378977155fb, target: null}
contents:
  description: O(contents) by path, as text; null for what is no regular file of UTF-8 of at most 1 MiB, or may not be read.
  returned: success
  type: dict
  sample: {/etc/timezone: "Etc/UTC\n"}
directories:
  description: Those of O(directories) that are missing or have another owner, group or mode.
  returned: success
  type: list
  elements: dict
ports:
  description: What listens on each of O(ports), on any address, by the port as text.
  returned: success
  type: dict
  sample: {"5000": [{address: 0.0.0.0, port: 5000, pid: 312, command: nginx, unit: nginx.service}]}
users:
  description: O(users) by name. C(groups) are the further ones.
  returned: success
  type: dict
  sample: {mlflow: {exists: true, uid: 999, gid: 999, group: mlflow, groups: [ssl-cert], home: /var/lib/mlflow, shell: /usr/sbin/nologin}}
kernel_modules:
  description: Whether each of O(kernel_modules) is loaded or built into the kernel and active.
  returned: success
  type: dict
  sample: {nouveau: false}
sysctl:
  description: Values in force of O(sysctl) by name, with single spaces; null where this kernel has none, or does not show it in here.
  returned: success
  type: dict
  sample: {vm.swappiness: "60"}
limits:
  description: Soft and hard limit in force of O(limits) by name, as numbers or V(infinity).
  returned: success
  type: dict
  sample: {NOFILE: {soft: "1024", hard: "524288"}}
apt:
  description: Values in force of O(apt) by name, from all files. A list has all its elements; what is not set has none.
  returned: success
  type: dict
  sample: {"Unattended-Upgrade::Package-Blacklist": [nvidia, cuda]}
free:
  description: MiB that root can still write, for each path of O(free).
  returned: success
  type: dict
  sample: {/var/lib/web: 8123}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import problems, reading

NAMES = {"type": "list", "elements": "str", "default": []}
ARGUMENTS = {
    "packages": NAMES,
    "units": NAMES,
    "paths": NAMES,
    "contents": NAMES,
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str"},
        },
    },
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "unit": {"type": "str"},
            "address": {"type": "str", "default": "0.0.0.0"},
            "setting": {"type": "str"},
        },
    },
    "users": NAMES,
    "kernel_modules": NAMES,
    "sysctl": NAMES,
    "limits": NAMES,
    "apt": NAMES,
    "free": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "mib": {"type": "int", "default": 0},
            "setting": {"type": "str"},
            "reason": {"type": "str"},
        },
    },
    "systemd": {"type": "bool", "default": True},
}
PLATFORM = (
    "distribution",
    "distribution_major_version",
    "distribution_release",
    "os_family",
    "platform_names",
    "architecture",
    "deb_architecture",
    "virtualization",
    "container",
)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    found = problems.of_input(module.params)
    if not found:
        seen = reading.look(module)
        found = problems.all_of(module.params, seen)
    if found:
        module.fail_json(msg="\n".join(found), problems=found)
    del seen["systemd"]
    module.exit_json(changed=False, ansible_facts={"mlinfra_platform": {name: seen[name] for name in PLATFORM}}, **seen)


if __name__ == "__main__":
    main()
