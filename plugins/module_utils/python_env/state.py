# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Where an environment is, what it is, and how that differs from the wish.

PATH is a symbolic link to the folder .NAME-HASH-RANDOM beside it: scripts in an environment hold its absolute path, so it is built where
it stays, and only the link moves. A file in the folder records what it was made of.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import stat

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import installed

RECORD = "mlinfra-environment.json"


class StateError(Exception):
    """What is at the path is not ours to replace; the text says what to do."""


def made_by_us(path, entry):
    """Whether a name beside `path` is one that this gives to the folders of that environment."""
    return re.match(r"\.%s-(?:[0-9a-f]{8}|scratch)-\w{8}\Z" % re.escape(os.path.basename(path)), entry) is not None


def folders(path):
    """Paths of all folders of an environment, the finished, the outdated and what an interrupted build left."""
    parent = os.path.dirname(path)
    try:
        return sorted(os.path.join(parent, entry) for entry in os.listdir(parent) if made_by_us(path, entry))
    except OSError:
        return []


def look(path):
    """{folder, record, installed, python, minor_version, owner, group, mode} of the environment; None when there is none.

    Raises StateError when something else is there.
    """
    if not os.path.lexists(path):
        return None
    if not os.path.islink(path):
        if os.path.isdir(path) and not os.listdir(path):
            return None
        raise StateError("%s is there already and was not made by this module: move it away, or choose another path" % path)
    target = os.path.join(os.path.dirname(path), os.readlink(path))
    if os.path.dirname(target) != os.path.dirname(path) or not made_by_us(path, os.path.basename(target)):
        raise StateError("%s is a link to %s, which this module did not make: remove the link, or choose another path" % (path, target))
    try:
        status = os.stat(target)
    except OSError:
        return None
    return {
        "folder": target,
        "record": _record(target),
        "installed": installed.distributions(target),
        "python": os.path.realpath(os.path.join(target, "bin", "python")),
        "runs": os.access(os.path.join(target, "bin", "python"), os.X_OK),
        "owner": _name(pwd.getpwuid, status.st_uid),
        "group": _name(grp.getgrgid, status.st_gid),
        "mode": stat.S_IMODE(status.st_mode),
    }


def _record(folder):
    try:
        with open(os.path.join(folder, RECORD), encoding="utf-8") as handle:
            record = json.load(handle)
    except (OSError, ValueError):
        return None
    good = isinstance(record, dict) and isinstance(record.get("installed"), dict) and isinstance(record.get("python"), dict)
    return record if good else None


def _name(lookup, number):
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def reasons(seen, requirements_sha256, python, version):
    """Why the environment must be built, in words; [] when it is as wished.

    seen: look()'s. python: real path of the wished interpreter. version: its 3.X.
    """
    if seen is None:
        return ["it is not there"]
    record = seen["record"]
    if record is None:
        return ["it is unfinished"]
    found = []
    if record.get("requirements_sha256") != requirements_sha256:
        found.append("its requirements have changed")
    if seen["python"] != python or record["python"].get("minor_version") != version:
        found.append("it is made of Python %s (%s), not %s (%s)" % (record["python"].get("minor_version"), seen["python"], version, python))
    elif not seen["runs"]:
        found.append("its interpreter does not run")
    if seen["installed"] != record["installed"]:
        found.append("its packages were changed: %s" % drift(record["installed"], seen["installed"]))
    return found


def drift(wished, found):
    """What somebody did to the packages, in words."""
    difference = installed.difference(wished, found)
    parts = ["%s %s was added" % pair for pair in difference["added"].items()]
    parts += ["%s %s is missing" % pair for pair in difference["removed"].items()]
    parts += ["%s is %s instead of %s" % (name, after, before) for name, (before, after) in difference["changed"].items()]
    return ", ".join(parts)


def attributes(seen, owner, group, mode):
    """{owner, group, mode} of those that are wished and differ."""
    wished = {"owner": owner, "group": group, "mode": mode}
    return {name: value for name, value in wished.items() if value is not None and seen is not None and seen[name] != value}
