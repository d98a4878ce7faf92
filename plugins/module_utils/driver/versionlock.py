# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The locks of dnf's plugin versionlock: a line names what a package may be, and dnf excludes all else. Format: dnf-versionlock(8)."""

from __future__ import annotations

import fnmatch
import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

CONFIGURATION = "/etc/dnf/plugins/versionlock.conf"
# What brings it where it is missing.
PROVIDER = "dnf-command(versionlock)"
DEFAULT = "/etc/dnf/plugins/versionlock.list"
NOTE = "# Locked by role mlinfra.hosts.nvidia_driver: the driver's packages move together or not at all."
LIST = re.compile(r"^\s*locklist\s*=\s*(\S+)", re.MULTILINE)


def place(configuration):
    """Path of the list that the plugin's configuration names; None without a configuration, as the plugin is not there."""
    if not configuration:
        return None
    match = LIST.search(configuration)
    return match.group(1) if match else DEFAULT


def here():
    """Path of this host's list, None where dnf has no such plugin."""
    return place(read(CONFIGURATION) if os.path.exists(CONFIGURATION) else "")


def line(name, version):
    """As `dnf versionlock add` writes it: with an epoch, for any architecture."""
    return "%s-%s.*" % (name, version if ":" in version else "0:" + version)


def locks(text):
    """Lines that lock something, without comments and without what only excludes (`!`)."""
    lines = [one.split("#", 1)[0].strip() for one in text.splitlines()]
    return [one for one in lines if one and not one.startswith("!")]


def spellings(name, version):
    """All that a pattern may match for this version of a package."""
    epoch, colon, rest = version.rpartition(":")
    epoch = epoch or "0"
    bare = ["%s-%s:%s" % (name, epoch, rest), "%s:%s-%s" % (epoch, name, rest), "%s-%s" % (name, rest)]
    return bare + [one + ".x" for one in bare]


def matches(lock, name, version):
    return any(fnmatch.fnmatchcase(one, lock) for one in spellings(name, version)) or lock in (name, name + ".*")


def is_of(lock, name):
    """Whether a lock is for this package, whatever the version: what is behind its name has to begin with a number or a pattern."""
    return bool(re.match(r"^(?:\d+:)?%s-[\d*?\[]" % re.escape(name), lock))


def held(text, name, version):
    """Whether an upgrade cannot move this package from this version."""
    return any(is_of(lock, name) and matches(lock, name, version) for lock in locks(text))


def changed(text, old, new):
    """The list's text with the locks of ``new`` in place of those of ``old`` ({name: version} each); all other lines stay."""
    own = {line(*pair) for pair in old.items()} | {line(*pair) for pair in new.items()}
    lines = [one for one in text.splitlines() if one.strip() not in own and one.strip() != NOTE]
    if new:
        lines += [NOTE] + [line(*pair) for pair in sorted(new.items())]
    return "".join(one + "\n" for one in lines)


def foreign(text, own, picked):
    """[(name, lock)] of others' locks that would keep a package from its wished version. own, picked: {name: version}."""
    mine = {line(*pair) for pair in own.items()}
    others = [lock for lock in locks(text) if lock not in mine]
    found = []
    for name, version in sorted(picked.items()):
        about = [lock for lock in others if is_of(lock, name)]
        if about and not any(matches(lock, name, version) for lock in about):
            found.append((name, about[0]))
    return found
