# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What dpkg knows of the packages on this host, from its own files: no fork, and nothing waits for its lock.

Format and states: https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html and /var/lib/dpkg/status itself.
"""

from __future__ import annotations

import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

ROOT = "/var/lib/dpkg"
FIELDS = re.compile(r"^(Package|Status|Version|Architecture): *(.*)$", re.MULTILINE)
WHOLE = ("installed", "not-installed", "config-files")
# What of two entries for one name counts (a package may be there for two architectures).
RANK = {"installed": 2, "not-installed": 0}
ABSENT = {"version": None, "status": "not-installed", "held": False}


def parse_status(text):
    """Text of a status file -> {name: {version, status, held, broken}} and the same under 'name:architecture'.

    version is null where only settings are left. broken: dpkg has not finished with the package, or wants it installed again.
    """
    found, entry = {}, {}
    for match in FIELDS.finditer(text):
        if match.group(1) == "Package":
            add(found, entry)
            entry = {}
        entry[match.group(1)] = match.group(2)
    add(found, entry)
    return found


def add(found, entry):
    """Put one paragraph's fields into {name: package}."""
    words = entry.get("Status", "").split()
    if len(words) != 3 or "Package" not in entry:
        return
    want, error, status = words
    package = {
        "version": entry.get("Version") if status not in ("not-installed", "config-files") else None,
        "status": status,
        "held": want == "hold",
        "broken": status not in WHOLE or error != "ok",
    }
    name = entry["Package"]
    found["%s:%s" % (name, entry.get("Architecture", ""))] = package
    if name not in found or RANK.get(status, 1) >= RANK.get(found[name]["status"], 1):
        found[name] = package


def read_status(root=ROOT):
    """parse_status of what is on this host, with what an interrupted dpkg has written beside; empty without dpkg."""
    text = read(os.path.join(root, "status"))
    updates = os.path.join(root, "updates")
    names = sorted(name for name in os.listdir(updates) if name.isdigit()) if os.path.isdir(updates) else []
    packages = parse_status(text)
    for name in names:
        packages.update(parse_status(read(os.path.join(updates, name))))
    return packages


def select(packages, names):
    """{name: {version, status, held}} for each of the names."""
    found = {}
    for name in names:
        package = packages.get(name, ABSENT)
        found[name] = {key: package[key] for key in ("version", "status", "held")}
    return found


def broken(packages):
    """Names of the packages that dpkg has not finished with."""
    return sorted({name.partition(":")[0] for name, package in packages.items() if package["broken"]})


def interrupted(root=ROOT):
    """Whether a dpkg was stopped in the middle: apt then refuses to do anything before `dpkg --configure -a`."""
    updates = os.path.join(root, "updates")
    return os.path.isdir(updates) and any(name.isdigit() for name in os.listdir(updates))
