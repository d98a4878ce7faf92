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
    """{added, beside: [whole names], back: [(name, version)]}: what has to go, and what has to return. before, after: see rpms.parse.

    added: of names that were not there. They go first, since a package that replaces another is set up before that one goes, and DKMS would
    then forget what was just built. beside: further versions of a name, as of a kernel; not those in the place of one that has to return,
    which go with its return and stay without.
    """
    known, new = {name for name, unused in before.values()}, set(after) - set(before)
    back = {before[one] for one in set(before) - set(after)}
    returning = {name for name, unused in back}
    return {
        "added": sorted(one for one in new if after[one][0] not in known),
        "beside": sorted(one for one in new if after[one][0] in known - returning),
        "back": sorted(back),
    }


class Transaction(transaction.Kept):
    """Everything goes through write() and program(); undo() puts it all back."""

    reasons = staticmethod(dnf.reasons)

    def __init__(self, program):
        super().__init__(program, GROWING)
        self.before = rpms.database(program.run)
        self.caches = set(glob.glob(CACHES))

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
        try:
            self._packages_back(done, left)
        except apt.Failed as error:
            left.append("what packages are there is not known (%s): %s" % (error.what, "; ".join(self.reasons(error.output))))
        # dnf may have written the list of its locks meanwhile, and scripts may have changed what was put back.
        for path, (data, mode) in self.files.items():
            transaction.put(path, data, mode)
        self._sweep()
        return done, left

    def _packages_back(self, done, left):
        gone = self._remove("added", left)
        back = difference(self.before, rpms.database(self.program.run))["back"]
        if back:
            self._restore(back, done, left)
        gone += self._remove("beside", left)
        if gone:
            done.append("%d packages removed" % gone)
        rest = difference(self.before, rpms.database(self.program.run))
        left += ["%s is still there" % name for name in rest["added"] + rest["beside"]]
        left += ["%s is not %s any more" % pair for pair in rest["back"]]

    def _remove(self, which, left):
        """How many packages were taken off. which: key of difference()."""
        names = difference(self.before, rpms.database(self.program.run))[which]
        try:
            if names:
                self.program.remove("remove", names)
        except apt.Failed as error:
            left.append("%s could not be removed: %s" % (", ".join(names), "; ".join(self.reasons(error.output))))
            return 0
        return len(names)

    def _sweep(self):
        """Remove what no package owns and was not there before."""
        for path in set(glob.glob(CACHES)) - self.caches:
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)
        self._sweep_links()
        self._sweep_growing()
