# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which package manager a host has, and what of this folder is for it."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    apt,
    dnf,
    dnf_install,
    dnf_prepare,
    install,
    plan,
    prepare,
    rpms,
    state,
)


class Debs:
    """apt and dpkg."""

    program, install, files_due = apt.Apt, install.Install, staticmethod(plan.files_due)
    prepare, reasons = staticmethod(prepare.prepare), staticmethod(apt.reasons)

    @staticmethod
    def look(run):
        return state.look()


class Rpms:
    """dnf and rpm."""

    program, install, files_due = dnf.Dnf, dnf_install.Install, staticmethod(rpms.files_due)
    prepare, reasons, look = staticmethod(dnf_prepare.run), staticmethod(dnf.reasons), staticmethod(rpms.look)


def of_host():
    """Debs, Rpms or None. A host of rpm may have the program dpkg too, and then it knows no package; dnf may be there as well on Debian."""
    if state.packages():
        return Debs
    return Rpms if any(os.access(path, os.X_OK) for path in ("/usr/bin/dnf", "/bin/dnf")) else None
