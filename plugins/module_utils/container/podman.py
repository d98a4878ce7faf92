# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What podman's files shall say beside those of its user: pure functions over texts.

containers.conf and registries.conf have folders for additions of others (containers.conf.d, registries.conf.d), whose files count in the
order of their names, each setting by itself; storage.conf has none, so it is edited. Formats: containers.conf(5),
containers-registries.conf(5), containers-storage.conf(5).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import registries as registry_files
from ansible_collections.mlinfra.hosts.plugins.module_utils.container import toml_settings
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings import SettingsError, merged

ROOT = "/var/lib/containers/storage"
# Without these two a storage.conf is refused by podman.
STORAGE = {"driver": "overlay", "runroot": "/run/containers/storage"}
SIZE = re.compile(r"^(\d+)([bkmg]?)b?$", re.IGNORECASE)
FACTORS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size(text):
    """Bytes of a size as Docker writes it (50m). Raises SettingsError."""
    found = SIZE.match(str(text))
    if not found:
        raise SettingsError("container_runtime_log_options.max-size is %s: expected a size as 50m. Nothing was changed." % text)
    return int(found.group(1)) * FACTORS[found.group(2).lower()]


def log_group(log_size):
    """Settings that limit containers' logs: podman limits files alone, and writes to the journal unless it is told otherwise."""
    return {"containers": {"log_driver": "k8s-file", "log_size_max": size(log_size)}}


def wish(theirs, settings, groups):
    """Tables for our file: the settings, and each group of defaults of which nobody has said anything.

    theirs: parsed files of others. A group is taken as a whole, or not at all.
    """
    chosen = {}
    for group in groups:
        names = [(table, key) for table, keys in group.items() for key in keys]
        if not any(key in (one.get(table) or {}) for table, key in names for one in [*theirs, settings]):
            chosen = merged(chosen, group)
    return merged(chosen, settings)


def text(path, tables):
    """A file with these tables; empty for none."""
    return registry_files.BY + toml_settings.edited(path, "", tables) if tables else ""


def root_of(path, storage):
    """Where podman keeps what it has, by the text of its storage.conf."""
    return toml_settings.parse(path, storage).get("storage", {}).get("graphroot") or ROOT


def storage(path, now, root):
    """The text of storage.conf with that data root. Raises SettingsError."""
    there = toml_settings.parse(path, now).get("storage", {})
    needed = {key: value for key, value in STORAGE.items() if not there.get(key)}
    return toml_settings.edited(path, now, {"storage": {**needed, "graphroot": root}})


def conflict(path, names):
    """The message for registries that somebody else's files have, too; None when there are none."""
    if not names:
        return None
    return (
        "%s: %s is in another registries.conf of this host, too, and of two tables for one registry podman takes one as a whole. Nothing "
        "was changed. Leave it out of container_runtime_registries and container_runtime_registry_mirrors, or take it out of that file."
        % (path, ", ".join(names))
    )
