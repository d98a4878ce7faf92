# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Changes packages and files of a host of rpm, and can put all of it back as it was before.

rpm has no such thing: a package whose script fails stays, and `dnf history undo` knows nothing of files and of modules that were built.
"""

from __future__ import annotations

import glob
import os
import shutil

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, dkms, dnf, rpms, transaction, versionlock
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

GROWING = (dkms.TREE, dkms.MODULES, "/var/lib/mlinfra", "/etc/pki/rpm-gpg", "/boot")
CACHES = "/var/cache/dnf/mlinfra-nvidia*"


def difference(before, after):
    """{new: [whole names], back: [(name, version)]}: what has to go, and what has to return. before, after: see rpms.parse."""
    return {
        "new": sorted(set(after) - set(before)),
        "back": sorted({before[one] for one in set(before) - set(after)}),
    }


class Transaction(transaction.Kept):
    """Everything goes through write() and program(); undo() puts it all back."""

    reasons = staticmethod(dnf.reasons)

    def __init__(self, program):
        super().__init__(program, GROWING)
        self.before = rpms.database(program.run)
        self.caches = set(glob.glob(CACHES))
        self.wanted = set(transaction.links(transaction.WANTED))

    def brought(self):
        """Packages that this transaction has put on the host, sorted."""
        known = {name for name, unused in self.before.values()}
        return sorted({name for name, unused in rpms.database(self.program.run).values()} - known)

    def lock(self, old, new):
        """Locks of ``new`` in place of those of ``old``, {name: version} each; nothing where dnf has no such plugin."""
        path = versionlock.here()
        if path:
            self.write(path, versionlock.changed(read(path) or "", old, new).encode())

    def undo(self):
        """Put everything back. Returns (what was done, in words; what could not be, in words)."""
        done, left = [], []
        for path, (data, mode) in self.files.items():
            transaction.put(path, data, mode)
        back = difference(self.before, rpms.database(self.program.run))["back"]
        if back:
            self._restore(back, done, left)
        new = difference(self.before, rpms.database(self.program.run))["new"]
        if new:
            try:
                self.program.remove("remove", new)
                done.append("%d packages removed" % len(new))
            except apt.Failed as error:
                left.append("%s could not be removed: %s" % (", ".join(new), "; ".join(self.reasons(error.output))))
        # dnf may have written the list of its locks meanwhile, and scripts may have changed what was put back.
        for path, (data, mode) in self.files.items():
            transaction.put(path, data, mode)
        self._sweep()
        rest = difference(self.before, rpms.database(self.program.run))
        left += ["%s is still there" % name for name in rest["new"]]
        left += ["%s is not %s any more" % pair for pair in rest["back"]]
        return done, left

    def _restore(self, back, done, left):
        names = ["%s=%s" % pair for pair in back]
        try:
            self.program.install("restore", names)
            done.append("%d packages set back to their version" % len(back))
        except apt.Failed as error:
            left.append("%s could not be set back: %s" % (", ".join(names), "; ".join(self.reasons(error.output))))

    def _sweep(self):
        """Remove what no package owns and was not there before."""
        for path in set(glob.glob(CACHES)) - self.caches:
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)
        for path in set(transaction.links(transaction.WANTED)) - self.wanted:
            if not os.path.exists(path):
                os.unlink(path)
        self._sweep_growing()
