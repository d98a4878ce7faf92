# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A note on the host that the process which a daemon runs as has not read what it should: it outlives a run that ends before the restart.

Of files alone that could not be told afterwards: they are as wished by then, and systemd forgets that it had not read its own at the next
`systemctl daemon-reload`, whoever tells it that. The note names the process by its start, so it means nothing once another one runs,
whoever started that; a reboot takes it away.
"""

from __future__ import annotations

import os

FOLDER = "/run/mlinfra"


def path(service):
    return os.path.join(FOLDER, "restart-" + service.unit)


def noted(service):
    """Whether the service still runs as the process that the note is about."""
    try:
        with open(path(service), encoding="utf-8") as file:
            return service.running and file.read() == service.state["ExecMainStartTimestampMonotonic"]
    except OSError:
        return False


def note(service):
    """service: as it was read, so the process before any restart."""
    os.makedirs(FOLDER, 0o755, exist_ok=True)
    with open(path(service), "w", encoding="utf-8") as file:
        file.write(service.state["ExecMainStartTimestampMonotonic"])


def forget(service):
    if os.path.exists(path(service)):
        os.unlink(path(service))
