# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""NVIDIA's persistence daemon, which keeps GPUs initialised while no program uses them.

Without it the driver sets a GPU up anew for each program, and forgets its settings in between (NVIDIA's driver persistence guide). The
daemon has persistence mode on unless it is told otherwise (nvidia-persistenced(1)). The unit of Ubuntu's packages does: it has
``--no-persistence-mode``, wants no target, and stops when nothing wants it (nvidia-graphics-drivers, debian/templates; udev starts it with
the driver). Those of Debian and of NVIDIA's rpm packages are enabled as any other.
"""

from __future__ import annotations

import os
import shutil

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

UNIT = "nvidia-persistenced.service"
QUESTION = ["systemctl", "show", "--no-pager", "--property=LoadState,ActiveState,UnitFileState,ExecStart,WantedBy", "--", UNIT]
SWITCHED_OFF = "--no-persistence-mode"
DROP_IN = "/etc/systemd/system/%s.d/mlinfra.conf" % UNIT
# nvidia-smi asks the daemon that runs. Its own ExecStart stays the package's; a GPU that hangs must not keep the daemon from starting.
DROP_IN_TEXT = """\
# Written by role mlinfra.hosts.nvidia_driver: this unit starts the daemon with persistence mode off.
[Service]
ExecStartPost=-/usr/bin/timeout 30 /usr/bin/nvidia-smi -pm 1
"""
SEARCHED = "/usr/sbin:/sbin:/usr/bin:/bin"


def parse(text, drop_in):
    """Answer to QUESTION, and the text of DROP_IN (None: not there) -> {there, masked, enabled, installable, active, drop_in_due}.

    installable: whether ``systemctl enable`` would do anything: a static unit says no target.
    """
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    load, file_state = values.get("LoadState"), values.get("UnitFileState")
    return {
        "there": load == "loaded",
        "masked": load == "masked",
        "enabled": file_state == "enabled" or "multi-user.target" in values.get("WantedBy", "").split(),
        "installable": file_state != "static",
        # soon after a boot it may be about to be
        "active": values.get("ActiveState") in ("active", "activating", "reloading"),
        "drop_in_due": SWITCHED_OFF in values.get("ExecStart", "") and drop_in != DROP_IN_TEXT,
    }


def look(run):
    """As parse(); of a host without systemd, or one on which it does not run, that it has no such unit."""
    if not shutil.which("systemctl", path=SEARCHED):
        return parse("", None)
    code, out, unused = run(QUESTION)
    return parse("" if code else out, read(DROP_IN))


def due(seen, usable):
    """What has to be done, of drop_in, enable, want, start and restart. usable: whether the installed driver is the loaded one."""
    if not seen["there"]:
        return []
    found = ["drop_in"] if seen["drop_in_due"] else []
    if not seen["enabled"]:
        found.append("enable" if seen["installable"] else "want")
    if usable and not seen["active"]:
        found.append("start")
    elif usable and seen["drop_in_due"]:
        found.append("restart")
    return found


def refusals(seen):
    """Why it cannot be done. A masked unit is somebody's will, as the option is."""
    told = "%s is masked, and nvidia_driver_persistence is true. Nothing was changed. Set it to false, or unmask the unit "
    return [(told + "(systemctl unmask %s).") % (UNIT, UNIT)] if seen["masked"] else []


COMMANDS = {
    "drop_in": ["systemctl", "daemon-reload"],
    "enable": ["systemctl", "--quiet", "enable", UNIT],
    "want": ["systemctl", "--quiet", "add-wants", "multi-user.target", UNIT],
    "start": ["systemctl", "start", UNIT],
    "restart": ["systemctl", "restart", UNIT],
}


def carry_out(run, steps):
    """Why a step failed, empty when none did."""
    if "drop_in" in steps:
        try:
            os.makedirs(os.path.dirname(DROP_IN), mode=0o755, exist_ok=True)
            with open(DROP_IN + ".new", "w", encoding="utf-8") as file:
                file.write(DROP_IN_TEXT)
            os.chmod(DROP_IN + ".new", 0o644)
            os.replace(DROP_IN + ".new", DROP_IN)
        except OSError as error:
            return "%s cannot be written: %s." % (DROP_IN, error.strerror)
    for step in steps:
        code, out, err = run(COMMANDS[step])
        if code:
            why = " ".join((err or out).split()) or "it returned %d" % code
            return "%s: %s Look at journalctl -u %s, or set nvidia_driver_persistence to false." % (" ".join(COMMANDS[step]), why, UNIT)
    return ""
