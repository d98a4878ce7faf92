# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Running containers, as the host's process list shows them: a daemon that hangs need not be asked."""

from __future__ import annotations

import os


def shims(namespace, proc="/proc"):
    """How many containers run in a namespace of containerd (Docker's is moby): each has a shim process of its own."""
    count = 0
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(os.path.join(proc, name, "cmdline"), "rb") as file:
                words = file.read().split(b"\0")
        except OSError:  # it has ended, or is not ours to see
            continue
        count += os.path.basename(words[0]).startswith(b"containerd-shim") and namespace.encode() in words
    return count
