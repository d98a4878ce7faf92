# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What apt_prepare says when it gives up: about a lock, a package that dpkg cannot finish, a repair that would cost something."""

from __future__ import annotations

import re

LOCKED = re.compile(r"Could not get lock|(?:is|was) locked by another process|Unable to (?:acquire|lock)|status database lock")

# What surrounds the words of a package's own scripts in the output of dpkg and apt-get.
NOISE = re.compile(
    r"Setting up|Processing triggers|Errors were encountered|Reading |Building |dpkg: error processing|E: Sub-process|"
    r"NOTE: This is only|apt-get needs root|Keep also in mind|so don't depend|Correcting dependencies|(?:Inst|Conf|Remv) |"
    r"\d+ (?:upgraded|not fully)|After this operation|Need to get|\(Reading database"
)


def is_locked(output):
    """Whether a command failed because another process came first."""
    return bool(LOCKED.search(output))


def locked(holder, timeout):
    """holder: see locks.apt_lock."""
    who = "another process that cannot be seen from here"
    if holder["pid"]:
        who = "%s (pid %d)" % (holder["command"] or "a process", holder["pid"])
    return (
        "apt is in use: %s holds %s, and did not let go within %d s. "
        "Wait until it has ended (a new machine updates itself first), or stop it; then run this again. lock_timeout is how long is waited."
        % (who, holder["path"] or "its lock", timeout)
    )


def cannot_finish(names, output):
    """dpkg --configure -a or apt-get -f install failed and left these packages unfinished."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # Both commands say the same of a package that keeps failing, so each line counts once.
    said = list(dict.fromkeys(line for line in lines if line not in names and not NOISE.match(line)))
    package = names[0] if names else "PACKAGE"
    return (
        "dpkg cannot finish %s, which was half installed before. It says: %s. "
        "Look at what its scripts want (dpkg --configure %s), or remove it (apt-get purge %s); then run this again."
        % (", ".join(names) or "what was begun", " | ".join(said[:4]) or "nothing", package, package)
    )


def would_remove(names, broken):
    """apt-get -f install would repair the host by removing packages, which nobody asked for."""
    return (
        "The packages of this host do not fit together%s, and apt would only repair that by removing %s. "
        "Decide that yourself: apt-get -f install on the host shows it and asks; then run this again."
        % (" (%s)" % ", ".join(broken) if broken else "", ", ".join(names))
    )
