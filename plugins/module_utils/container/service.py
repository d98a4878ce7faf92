# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A systemd service as a daemon's settings need it: what it is, make it take a change, and why it did not."""

from __future__ import annotations

SHOWN = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "ExecMainStartTimestampMonotonic",
    "ExecStart",
    "EnvironmentFiles",
    "Environment",
)


class ServiceError(Exception):
    """The service did not do as it was told; the message is for the user."""


class Service:
    """module: an AnsibleModule, for its run_command."""

    def __init__(self, module, unit):
        self.module, self.unit = module, unit
        self.state = self.read()

    def read(self):
        """{property: value} of SHOWN; values are empty for a unit that is not there."""
        _rc, out, _err = self.module.run_command(["systemctl", "show", "--property", ",".join(SHOWN), self.unit])
        state = dict.fromkeys(SHOWN, "")
        for line in out.splitlines():
            name, _equals, value = line.partition("=")
            # EnvironmentFiles comes once for each file
            state[name] = state[name] + "\n" + value if state.get(name) else value
        return state

    @property
    def exists(self):
        return self.state["LoadState"] == "loaded"

    @property
    def running(self):
        return self.state["ActiveState"] == "active"

    @property
    def enabled(self):
        return self.state["UnitFileState"] in ("enabled", "static", "indirect", "generated")

    @property
    def stale(self):
        """Whether systemd has not read the unit's files since they changed."""
        return self.state["NeedDaemonReload"] == "yes"

    def tell(self, verb):
        """Run `systemctl VERB UNIT`; raises ServiceError with the last lines of the journal."""
        self.module.run_command(["systemctl", "reset-failed", self.unit])
        rc, _out, err = self.module.run_command(["systemctl", verb, self.unit])
        if rc:
            raise ServiceError(
                "systemctl %s %s failed: %s\nIts journal ends with:\n%s"
                % (verb, self.unit, err.strip().splitlines()[0] if err.strip() else rc, self.journal())
            )

    def daemon_reload(self):
        self.module.run_command(["systemctl", "daemon-reload"], check_rc=True)

    def journal(self, lines=8):
        """The last lines of the unit's own words."""
        _rc, out, _err = self.module.run_command(
            ["journalctl", "--no-pager", "--output", "cat", "--lines", str(lines), "--unit", self.unit]
        )
        return out.strip()
