# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether an engine keeps its data on the instance store of role instance_store, and what systemd has to know of that.

The host starts without its instance store where that cannot be made again, and the mount point is then an empty folder on the root disk.
"""

from __future__ import annotations

import json
import os

UNIT = "mlinfra-instance-store.service"
DROP_IN = """\
# By role mlinfra.hosts.container_runtime: the engine's data is on the instance store, and is not to fill the root disk without it.
[Unit]
Requires=%(unit)s
After=%(unit)s
AssertPathIsMountPoint=%(point)s
"""


def mount_point(wish):
    """The mount point in what role instance_store left on the host (text; None when it left nothing); None when it names none."""
    try:
        found = json.loads(wish or "")
    except ValueError:
        return None
    return (found.get("mount_point") or None) if isinstance(found, dict) else None


def lies_below(root, point):
    """Whether a path is a mount point or below it, by name."""
    root, point = (os.path.normpath(path) for path in (root, point))
    return root == point or root.startswith(point.rstrip("/") + "/")


def tie(root, wish, unit):
    """{"drop_in", "problem"} of an engine with its data at `root`: text of the drop-in of its service, empty when there shall be none, and
    why it cannot be started now, empty when it can.

    wish: as of mount_point. unit: {"exists", "active"} of UNIT, as host_preflight has it. One that is off is started with the engine.
    """
    point = mount_point(wish)
    if not point or not unit.get("exists") or not lies_below(root, point):
        return {"drop_in": "", "problem": ""}
    problem = ""
    if unit.get("active") == "failed":
        problem = (
            "the data root %s is on the instance store, and %s, which mounts that at %s, has failed: the engine would fill the root disk. "
            "Nothing was changed. See why (journalctl -u %s) and run role instance_store, or set container_runtime_data_root to a folder "
            "elsewhere." % (root, UNIT, point, UNIT)
        )
    return {"drop_in": DROP_IN % {"unit": UNIT, "point": point}, "problem": problem}
