#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_settings_info
short_description: Read what is in force on a host, whichever files it comes from
version_added: 0.2.0
description:
  - Reads sysctls, the limits that systemd gives to services, settings of apt, and whether the clock is kept right, in one transfer.
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
"""

EXAMPLES = r"""
- name: Read what is in force
  mlinfra.hosts.host_settings_info:
    sysctl: [vm.swappiness]
    limits: [NOFILE]
    apt: [Unattended-Upgrade::Package-Blacklist]
  register: settings

- name: Show it
  ansible.builtin.debug:
    msg: "{{ settings.sysctl['vm.swappiness'] }}, {{ settings.limits.NOFILE.hard }}, clock: {{ settings.clock.synchronized }}"
"""

RETURN = r"""
sysctl:
  description: Values by name, with single spaces; null for those that this kernel does not have, or does not show in here.
  returned: success
  type: dict
  sample: {vm.swappiness: "60"}
limits:
  description: Soft and hard limit by name, as numbers or V(infinity).
  returned: success
  type: dict
  sample: {NOFILE: {soft: "1024", hard: "524288"}}
apt:
  description: Values by name. A list has all its elements; what is not set has none.
  returned: success
  type: dict
  sample: {"Unattended-Upgrade::Package-Blacklist": [nvidia, cuda]}
clock:
  description: Whether something sets the clock by the network, and whether it was in step when asked; null where systemd does not say.
  returned: success
  type: dict
  sample: {ntp: true, synchronized: true}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import settings
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

NAMES = {"type": "list", "elements": "str", "default": []}


def output(module, program, arguments):
    """What a program prints; nothing where it is missing or fails."""
    path = module.get_bin_path(program)
    if not path:
        return ""
    code, out, unused = module.run_command([path] + arguments, environ_update={"LC_ALL": "C"})
    return "" if code else out


def main():
    module = AnsibleModule(argument_spec={"sysctl": NAMES, "limits": NAMES, "apt": NAMES}, supports_check_mode=True)
    wish = module.params
    asked = settings.limit_properties(wish["limits"])
    limits = output(module, "systemctl", ["show", "--no-pager", "--property=" + ",".join(asked)]) if asked else ""
    apt = output(module, "apt-config", ["dump"]) if wish["apt"] else ""
    clock = output(module, "timedatectl", ["show", "--property=NTP,NTPSynchronized"])
    module.exit_json(
        changed=False,
        sysctl={name: settings.sysctl_value(read(settings.sysctl_path(name))) for name in wish["sysctl"]},
        limits=settings.limits(limits, wish["limits"]),
        apt=settings.apt_values(apt, wish["apt"]),
        clock=settings.clock(clock),
    )


if __name__ == "__main__":
    main()
