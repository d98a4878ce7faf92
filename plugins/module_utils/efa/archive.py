# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The installer's archive: which release it is, how much room it takes, and its unpacking.

Its layout: a folder aws-efa-installer with efa_installer.sh, env.sh (EFA_INSTALLER_VERSION=…), DEBS/PLATFORM/ARCHITECTURE and
RPMS/PLATFORM/ARCHITECTURE; efa_installer.sh itself reads them from there.
"""

from __future__ import annotations

import os
import re
import tarfile

TOP = "aws-efa-installer"
INSTALLER = TOP + "/efa_installer.sh"
SETTINGS = TOP + "/env.sh"
RELEASE = re.compile(r"^\s*(?:export\s+)?EFA_INSTALLER_VERSION=[\"']?([0-9.]+)", re.MULTILINE)


class Unusable(Exception):
    """The archive is not what it should be; its text ends in no advice."""


def is_inside(member):
    """Whether this member stays below the archive's own folder."""
    parts = member.name.split("/")
    if parts[0] == ".":
        parts = parts[1:]
    if not parts or parts[0] != TOP or ".." in parts:
        return member.name in (".", "./")
    if member.issym() or member.islnk():
        target = member.linkname if member.islnk() else os.path.join(os.path.dirname(member.name), member.linkname)
        return os.path.normpath(target).split("/")[0] == TOP
    return member.isfile() or member.isdir()


def unpack(path, folder, free):
    """The release that was unpacked to ``folder``. free: () -> bytes that may be written there. :raises Unusable:"""
    try:
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            outside = [member.name for member in members if not is_inside(member)]
            if outside:
                raise Unusable("%s in it would not be unpacked below %s" % (outside[0], TOP))
            names = {os.path.normpath(member.name) for member in members}
            if INSTALLER not in names or SETTINGS not in names:
                raise Unusable("it has no %s" % (INSTALLER if INSTALLER not in names else SETTINGS))
            size = sum(member.size for member in members)
            if size > free():
                raise Unusable("%s has %d MiB free, and it takes %d MiB unpacked" % (folder, free() >> 20, size >> 20))
            # Pythons that know this filter give the files to us, whoever owned them; all of them are below a folder that only root enters.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
            for member in members:
                archive.extract(member, folder, numeric_owner=True)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Unusable(str(error).rstrip(".") or "it is no archive") from error
    with open(os.path.join(folder, SETTINGS), encoding="utf-8", errors="replace") as file:
        match = RELEASE.search(file.read())
    if not match:
        raise Unusable("its env.sh does not say EFA_INSTALLER_VERSION")
    return match.group(1)
