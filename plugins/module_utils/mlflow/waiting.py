# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for an MLflow server that has just been started, and its last words when it does not answer."""

from __future__ import annotations

import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import units
from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials
from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow.client import MlflowError, Silence

PAUSE = 0.5
LINES = 15


class UnitState:
    """What systemd says of the service; nothing when no unit is given."""

    def __init__(self, module, unit):
        self._module, self._unit = module, unit

    def given_up(self):
        """Whether the service is not running and will not be started again, or has failed three times in a row."""
        if not self._unit:
            return False
        unused, out, err = self._module.run_command(["systemctl", "show", self._unit, "--property", "ActiveState,NRestarts"])
        shown = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        return shown.get("ActiveState") in ("failed", "inactive") or int(shown.get("NRestarts") or 0) >= 3

    def absent(self):
        """Whether there is no such unit."""
        unused, out, err = self._module.run_command(units.question([self._unit]))
        return not units.parse(out, [self._unit])[self._unit]["exists"]

    def last_words(self, hidden):
        """The last lines of its log, without these values, as a sentence; empty without a unit."""
        if not self._unit:
            return ""
        if self.absent():
            return " This host has no %s: run role mlinfra.hosts.mlflow_server on it first." % self._unit
        command = ["journalctl", "--unit", self._unit, "--lines", str(LINES), "--no-pager", "--output", "cat"]
        unused, out, err = self._module.run_command(command)
        return " Last lines of its log (journalctl -u %s):\n%s" % (self._unit, credentials.without((out or err).strip(), hidden))


def until_healthy(client, seconds, unit, clock=time.monotonic, sleep=time.sleep):
    """Return when the server says OK.

    :raises MlflowError: it does not within that time, or the service has given up.
    """
    end = clock() + seconds
    while True:
        try:
            if client.healthy():
                return
            raise MlflowError("%s/health does not say OK: is another service behind this address?" % client.url)
        except Silence as error:
            if clock() >= end:
                raise MlflowError("%s within %d s." % (error, seconds)) from None
            if unit.given_up():
                raise MlflowError("%s, and the service does not run." % error) from None
        sleep(PAUSE)
