# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What an installer was about to bring. AWS's script writes its list in the end, so one that fails or is killed leaves packages that no
list names; this is written before it starts, and goes when all of it is in AWS's list."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import archive, installed, removal
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

FILE = "/var/lib/mlinfra/efa-unfinished"
SUFFIXES = (".deb", ".rpm")


def packages_of(folder):
    """Sorted names of the archive's packages, as AWS's list has them, for this machine. They lie in …/PLATFORM/ARCHITECTURE/…"""
    found = set()
    machine = os.uname().machine
    for place, _unused, files in os.walk(os.path.join(folder, archive.TOP)):
        if machine in place[len(folder) :].split(os.sep):
            found.update(name[:-4] for name in files if name.endswith(SUFFIXES))
    return sorted(found)


def entries():
    return removal.names(read(FILE))


def begin(candidates, ask):
    """Write down those of the candidates that are not there yet in that version. ask(names): what dpkg or rpm know of them."""
    known = ask([removal.entry(one)["name"] for one in candidates])
    coming = {one for one in candidates if not removal.is_same(removal.entry(one), known)}
    write(sorted(coming.union(entries())))


def end(ask):
    """Keep what is there and AWS's list does not name, as what another wish brought in a run that failed before."""
    listed = installed.parse(read(installed.FILE))["packages"]
    left = [one for one in entries() if removal.entry(one)["name"] not in listed]
    known = ask([removal.entry(one)["name"] for one in left])
    write([one for one in left if removal.is_same(removal.entry(one), known)])


def write(lines):
    if not lines:
        forget()
        return
    os.makedirs(os.path.dirname(FILE), mode=0o755, exist_ok=True)
    with open(FILE + ".new", "w", encoding="utf-8") as file:
        file.write("# Packages that an EFA installer was about to bring, written by mlinfra.hosts.efa_installer.\n")
        file.write("".join("%s\n" % one for one in lines))
    os.replace(FILE + ".new", FILE)


def forget():
    if os.path.lexists(FILE):
        os.unlink(FILE)
