# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Units as systemd has them: the question to systemctl, and what its answer says."""

from __future__ import annotations

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "FragmentPath",
    "NeedDaemonReload",
    "ExecMainStartTimestampMonotonic",
)
ABSENT = {
    "exists": False,
    "load": "not-found",
    "active": "inactive",
    "sub": "dead",
    "enabled": None,
    "path": None,
    "stale": False,
    "started": None,
}


def question(names):
    """Command that asks for all units at once."""
    return ["systemctl", "show", "--no-pager", "--property=%s" % ",".join(("Id",) + PROPERTIES), "--"] + list(names)


def parse(text, names):
    """Answer of `question(names)` -> {name: {exists, load, active, sub, enabled, path, stale, started}}.

    Blocks are in the order of the names. started: seconds of the monotonic clock at which its main process began; None when there is none.
    """
    blocks = [block for block in text.strip().split("\n\n") if block.strip()]
    found = {name: dict(ABSENT) for name in names}
    for name, block in zip(names, blocks):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        load = values.get("LoadState") or "not-found"
        found[name] = {
            "exists": load not in ("not-found", "masked"),
            "load": load,
            "active": values.get("ActiveState") or "inactive",
            "sub": values.get("SubState") or "dead",
            "enabled": values.get("UnitFileState") or None,
            "path": values.get("FragmentPath") or None,
            "stale": values.get("NeedDaemonReload") == "yes",
            "started": int(values.get("ExecMainStartTimestampMonotonic") or 0) / 1000000.0 or None,
        }
    return found
