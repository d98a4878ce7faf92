# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether an engine's data may be looked for in another place from now on, and what an engine keeps at a place."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import dockerd

# Where each engine keeps what would be missed: images, containers, volumes. Folders that a fresh engine has, too, are not named.
KEPT = {
    "docker": ("image/*/imagedb/content/sha256/*", "containers/*", "volumes/*/_data", "swarm/*"),
    "containerd": ("io.containerd.content.v1.content/blobs/sha256/*",),
    "podman": ("*-images/*/manifest", "*-containers/*/userdata", "volumes/*/_data"),
}
COPY = "rsync -aHAXS %s/ %s/"


def holds_data(engine, root):
    """Whether an engine has anything in that folder that somebody would miss."""
    return any(_matches(root, pattern.split("/")) for pattern in KEPT[engine])


def _matches(folder, parts):
    """Whether a path below the folder fits, a star for any name or part of one."""
    first, rest = parts[0], parts[1:]
    try:
        names = os.listdir(folder)
    except OSError:  # it is not there, or no folder
        return False
    fitting = [name for name in names if name == first or "*" in first and name.endswith(first.replace("*", ""))]
    return any(not rest or _matches(os.path.join(folder, name), rest) for name in fitting)


def problem(old, new, old_has_data, new_has_data, abandon, stop):
    """Why the data root cannot change now, in one message; None when it can, or does not.

    Data that is at the new place already was moved there by somebody. stop: the command that ends what would write to the old one.
    """
    if os.path.normpath(old) == os.path.normpath(new) or not old_has_data or new_has_data or abandon:
        return None
    return (
        "The data root is %s, and %s is wished: the images, containers and volumes there would no longer be seen. Nothing was changed. "
        "Move them (%s; %s), then run this again; or set container_runtime_abandon_data to true to begin with nothing."
        % (old, new, stop, COPY % (old.rstrip("/"), new.rstrip("/")))
    )


def nearest(path):
    """The path itself, or the folder above it that is there."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.path.realpath(path)


def mounts():
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        return file.read()


def file_system_problem(root, kind):
    """Why images cannot be kept on a file system of this type; None when they can."""
    if not dockerd.WITHOUT_OVERLAY.match(kind):
        return None
    return (
        "The data root is %s, on a file system of type %s: overlay does not work on it. Nothing was changed. "
        "Set container_runtime_data_root to a folder on a local ext4 or xfs." % (root, kind)
    )
