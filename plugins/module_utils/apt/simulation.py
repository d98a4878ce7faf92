# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What `apt-get --simulate` would do, how much it would fetch, and whether there is room for it."""

from __future__ import annotations

import re

MIB = 1024 * 1024
# dpkg's database, caches and what maintainer scripts make: room beside the packages' own files.
MARGIN = 64 * MIB
INSTALL = re.compile(r"^Inst (\S+)(?: \[([^\]]+)\])? \((\S+)", re.MULTILINE)
REMOVE = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)
CONFIGURE = re.compile(r"^Conf (\S+)", re.MULTILINE)
# Packages of a folder of the host (file:) are not copied.
URI = re.compile(r"^'(?!file:)[^']+' (\S+) (\d+)", re.MULTILINE)


def parse(text):
    """{install: {name: version}, upgraded: [name], remove: [name], configure: [name]}."""
    installs = INSTALL.findall(text)
    return {
        "install": {name: version for name, unused, version in installs},
        "upgraded": [name for name, old, unused in installs if old],
        "remove": REMOVE.findall(text),
        "configure": CONFIGURE.findall(text),
    }


def reason(output):
    """What apt complains of, on one line, from a simulation that failed."""
    unmet = re.search(r"The following packages have unmet dependencies:\n((?: .*\n?)+)", output)
    if unmet:
        return "unmet dependencies: %s" % "; ".join(" ".join(line.split()) for line in unmet.group(1).splitlines())
    errors = re.findall(r"^(?:E|Error): (.*)$", output, re.MULTILINE)
    return "; ".join(errors) or (output.strip().splitlines() or ["it said nothing"])[-1]


def download_bytes(text):
    """Bytes to be fetched by the output of `apt-get -qq --print-uris install`."""
    return sum(int(size) for unused, size in URI.findall(text))


def installed_bytes(shown):
    """{name: bytes on disk} by the output of `apt-cache show` or dpkg's status file. Installed-Size is in KiB (deb-control(5))."""
    found = {}
    for paragraph in shown.split("\n\n"):
        name = re.search(r"^Package: (\S+)$", paragraph, re.MULTILINE)
        size = re.search(r"^Installed-Size: (\d+)$", paragraph, re.MULTILINE)
        if name and size:
            found.setdefault(name.group(1), int(size.group(1)) * 1024)
    return found


def growth(new, old):
    """Bytes by which the installed packages grow. new, old: {name: bytes}."""
    return max(0, sum(size - old.get(name, 0) for name, size in new.items()))


def needs(archives, installed, download, grown):
    """{(device, path): bytes}: what the file systems need. archives, installed: (device, path) of apt's cache and of the programs."""
    wanted = {installed: grown + MARGIN}
    if download:
        place = installed if archives[0] == installed[0] else archives
        wanted[place] = wanted.get(place, 0) + download
    return wanted


def space_problems(wanted, free, names):
    """Messages about file systems that are too small. wanted: see needs; free: {path: bytes}; names: what would be installed."""
    what = ", ".join(names[:4]) + (" and %d more" % (len(names) - 4) if len(names) > 4 else "")
    return [
        "%s has %d MiB free: installing %s needs %d MiB there. Make room (apt-get clean drops fetched packages) or enlarge its file system."
        % (path, free[path] // MIB, what, -(-size // MIB))
        for (unused, path), size in wanted.items()
        if free[path] < size
    ]
