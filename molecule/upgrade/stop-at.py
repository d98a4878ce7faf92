#!/usr/bin/python3
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Called at a place of the host's life (`build VERSION`, `halt`, `undrain`). When the next stop is there, it tells the test, which ends the
playbook, and then ends Ansible's module and all between that and this place: a host on which a change broke off.

STOPS: {address, port, places}: where the test listens, and the stops in their order.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

STOPS = Path("/var/local/stops.json")


def caused_by(pid: int) -> list[int]:
    """The processes above one, up to the module; none where no module is there."""
    found = []
    while pid > 1:
        found.append(pid)
        if Path(f"/proc/{pid}/comm").read_text().startswith("python"):
            return found
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return []


def main() -> None:
    stops = json.loads(STOPS.read_text()) if STOPS.exists() else {"places": []}
    if stops["places"][:1] != sys.argv[1:]:
        return
    STOPS.write_text(json.dumps({**stops, "places": stops["places"][1:]}))
    with socket.create_connection((stops["address"], stops["port"]), 60) as line:
        line.sendall(sys.argv[1].encode())
        line.recv(1)  # returns when the playbook is dead
    # Those above first: none of them is to see the one below end.
    for pid in reversed(caused_by(os.getppid())):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
