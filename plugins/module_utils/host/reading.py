# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""All that host_preflight returns, read from files and from the words of four programs."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import (
    accounts,
    disk,
    dpkg,
    listeners,
    locks,
    paths,
    platform,
    settings,
    units,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read, text

SYSTEMD = "/run/systemd/system"


def ask_units(module, names):
    """What systemd says of the units: one call, and none when there is nothing to ask or nobody to answer."""
    if not names or not os.path.isdir(SYSTEMD):
        return units.parse("", names)
    code, out, err = module.run_command(units.question(names), environ_update={"SYSTEMD_COLORS": "0"})
    if code:
        module.fail_json(msg="systemctl show says of %s: %s. Look at `systemctl status`." % (", ".join(names), err.strip() or out.strip()))
    return units.parse(out, names)


def ask_virtualization(module):
    """Word of systemd-detect-virt; 'unknown' where it is missing."""
    program = module.get_bin_path("systemd-detect-virt")
    if not program:
        return "unknown"
    return module.run_command([program])[1].strip() or "unknown"


def output(module, program, arguments):
    """What a program prints; nothing where it is missing or fails."""
    path = module.get_bin_path(program)
    if not path:
        return ""
    code, out, unused = module.run_command([path] + arguments, environ_update={"LC_ALL": "C"})
    return "" if code else out


def ask_settings(module):
    """{sysctl, limits, apt}: what is in force, whichever files it comes from."""
    wish = module.params
    asked = settings.limit_properties(wish["limits"])
    limits = output(module, "systemctl", ["show", "--no-pager", "--property=" + ",".join(asked)]) if asked else ""
    apt = output(module, "apt-config", ["dump"]) if wish["apt"] else ""
    return {
        "sysctl": {name: settings.sysctl_value(read(settings.sysctl_path(name))) for name in wish["sysctl"]},
        "limits": settings.limits(limits, wish["limits"]),
        "apt": settings.apt_values(apt, wish["apt"]),
    }


def look(module):
    """All that the module returns, and `systemd`."""
    wish = module.params
    known = dpkg.read_status()
    virtualization = ask_virtualization(module)
    return dict(
        dict(platform.look(), **ask_settings(module)),
        systemd=os.path.isdir(SYSTEMD),
        virtualization=virtualization,
        container=platform.is_container(virtualization),
        packages=dpkg.select(known, wish["packages"]),
        broken_packages=dpkg.broken(known),
        apt_lock=locks.apt_lock(),
        units=ask_units(module, wish["units"]),
        paths={path: paths.look(path) for path in wish["paths"]},
        contents={path: text(path) for path in wish["contents"]},
        directories=[folder for folder in wish["directories"] if not paths.as_wished(folder)],
        ports={str(one["port"]): listeners.listening(one["port"]) for one in wish["ports"]},
        users={name: accounts.look(name) for name in wish["users"]},
        kernel_modules={name: os.path.isdir("/sys/module/" + name.replace("-", "_")) for name in wish["kernel_modules"]},
        free={one["path"]: disk.free_mib(one["path"]) for one in wish["free"]},
    )
