# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out a plan for NVIDIA's driver on a host of dnf and rpm: what differs from install.py."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    dnf,
    dnf_prepare,
    dnf_transaction,
    going_along,
    install,
    plan,
    rpms,
    state,
    versionlock,
)


class Install(install.Install):
    reasons = staticmethod(dnf.reasons)

    def transaction(self):
        return dnf_transaction.Transaction(self.program)

    def packages(self):
        return rpms.packages(self.program.run)

    def files(self):
        return rpms.FILES

    def texts(self):
        return {
            state.NOUVEAU: state.NOUVEAU_TEXT.encode(),
            state.UMAD: state.UMAD_TEXT.encode(),
            rpms.SOURCE: rpms.source_text(self.wish["repository"]).encode(),
            rpms.KEY: self.key,
        }

    def _install(self, change):
        if self.wish["hold"] and versionlock.here() is None:
            self.program.install("versionlock", [versionlock.PROVIDER])
        if self.decided["kernel_packages"]:
            # Before the driver: its modules are built by a script of its package.
            self.program.install("headers", self.decided["kernel_packages"])
        if not self.decided["settled"]:
            # Those of the driver that goes; the new one's are written when it has proven good.
            change.lock(dnf_prepare.own_locks(self), {})
            names, options = ["%s=%s" % pair for pair in sorted(self.picked.items())], ()
            if self.decided["remove"]:
                # dnf fetches all before it changes anything, but here a change comes before it.
                self.program.fetch("download", names)
                # In one transaction the old flavor would go last, and take what was built of the new one with it: both are nvidia to DKMS.
                self._purge("remove the other flavor", self.decided["remove"])
                options = dnf.FETCHED
            self.program.install("driver", names, options)
            self._without_old_names()
        return self._without_old_driver()

    def _without_old_names(self):
        """Removes what is called otherwise now, and would stay of the old driver."""
        renamed = going_along.old_names(self.besides)
        there = self.packages() if renamed else {}
        old = [name for name in renamed if state.installed(there, name)]
        if old:
            self._purge("remove the old names", old)

    def _purge(self, what, names):
        self.program.remove(what, names)

    def _keep(self, change, packages, driver):
        if plan.holds_due(self.wish, packages, driver):
            change.lock(dnf_prepare.own_locks(self), plan.owned(self.wish, packages, driver))
