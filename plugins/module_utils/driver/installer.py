# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Takes away a driver that NVIDIA's installer (the .run file) left, and can put its files back.

The installer keeps the list of its files in /var/lib/nvidia/log, as lines `NUMBER: PATH` (backup.c of its published source), and undoes
itself by `nvidia-uninstall --silent` (NVIDIA's driver README). What DKMS built of it is no part of the list.
"""

from __future__ import annotations

import glob
import os
import re
import shutil

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

LOG = "/var/lib/nvidia/log"
PROGRAMS = ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer")
LISTED = re.compile(r"^\d+: (/\S.*)$", re.MULTILINE)
BUILT = ("/var/lib/dkms/nvidia/*", "/lib/modules/%s/updates/dkms/nvidia*", "/lib/modules/%s/kernel/drivers/video/nvidia*")


def listed(text):
    """Paths in the installer's list, each once."""
    return sorted(set(LISTED.findall(text or "")))


def uninstaller():
    """[program, arguments] that removes the driver; None where there is none."""
    for path, more in zip(PROGRAMS, ([], ["--uninstall"])):
        if os.access(path, os.X_OK):
            return [path, *more, "--silent"]
    return None


def problem():
    """A message when a driver of no package cannot be taken away."""
    if uninstaller():
        return ""
    return (
        "The driver of this host is of no package, and %s is missing: its files cannot be told from others'. Nothing was changed. Remove "
        "it by hand, or set nvidia_driver_existing to keep." % PROGRAMS[0]
    )


class Aside:
    """folder: where copies of the files are until forget() or back()."""

    def __init__(self, program, folder):
        self.program, self.folder, self.kept = program, folder, []

    def take(self, kernel):
        """Copy the driver's files aside and uninstall it; nothing where no installer was. kernel: the release that runs."""
        command = uninstaller()
        if command is None:
            return
        built = [path for pattern in BUILT for path in glob.glob(pattern.replace("%s", kernel))]
        for path in [*listed(read(LOG)), *PROGRAMS, os.path.dirname(LOG), *built]:
            self._copy(path)
        self.program.call("remove the driver of NVIDIA's installer", command)

    def _copy(self, path):
        target = os.path.join(self.folder, path.lstrip("/"))
        if not os.path.lexists(path) or os.path.lexists(target):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.copytree(path, target, symlinks=True)
        else:
            shutil.copy2(path, target, follow_symlinks=False)
        self.kept.append(path)

    def back(self):
        """Put back what is missing. Returns (what was done, in words; what could not be, in words)."""
        done, left = 0, []
        for path in self.kept:
            if os.path.lexists(path):
                continue
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.move(os.path.join(self.folder, path.lstrip("/")), path)
                done += 1
            except OSError as error:
                left.append("%s of the driver that was there is still in %s only (%s)" % (path, self.folder, error.strerror or error))
        if not left:
            self.forget()
        return ["%d files of the driver that was there put back" % done] if done else [], left

    def forget(self):
        shutil.rmtree(self.folder, ignore_errors=True)
