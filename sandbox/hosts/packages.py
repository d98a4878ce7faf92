# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian packages that hosts need on this machine: installed once, quietly, without starting what they bring."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable

from sandbox.paths import SandboxError

PACKAGES = (
    "mmdebstrap", "podman", "crun", "conmon", "netavark", "aardvark-dns", "iptables", "nftables", "uidmap", "iproute2", "util-linux",
    "mount",
    "openssh-client", "debian-archive-keyring", "procps",
)  # fmt: skip
# In a mount namespace where /run/systemd is empty, maintainer scripts find no running systemd, so nothing that they enable is started,
# and nothing has to be undone if this is killed. apt itself and its locks are the machine's own.
QUIET = 'test -d /run/systemd/system && mount -t tmpfs none /run/systemd; exec "$@"'


def missing(names: tuple[str, ...] = PACKAGES) -> list[str]:
    """Those that are not installed."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def ensure(say: Callable[[str], None]) -> None:
    """Install what is missing with the machine's own apt.

    :raises SandboxError: apt failed; the end of what it said is in the message.
    """
    wanted = missing()
    if not wanted:
        return
    say(f"installing {len(wanted)} Debian packages: {' '.join(wanted)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "NEEDRESTART_MODE": "l"}
    base = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]
    install = [*base, "install", "--yes", "--no-install-recommends", *wanted]
    # A killed dpkg leaves half-configured packages: finishing them first makes a second run enough.
    steps = [["dpkg", "--configure", "-a"], [*base, "update"], install]
    with tempfile.TemporaryFile() as log:
        for step in steps:
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", QUIET, "sh", *step]
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, check=False).returncode
            if code and step is install:
                log.seek(0)
                tail = log.read().decode(errors="replace").strip().splitlines()[-3:]
                raise SandboxError(
                    f"apt-get could not install {' '.join(wanted)}: {' / '.join(tail)}. Mend apt on this machine and run it again."
                )
