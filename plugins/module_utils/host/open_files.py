# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which files the processes of this host have open, from /proc alone (lsof and fuser may be missing). proc(5), /proc/pid/fd."""

from __future__ import annotations

import os


def each(proc="/proc"):
    """(pid, where its open files lead) of each process, in order of pid; (pid, None) of one that only root may look at.

    A process that ends meanwhile is passed over; without a /proc there is none.
    """
    try:
        names = os.listdir(proc)
    except OSError:
        return
    for pid in sorted(int(name) for name in names if name.isdigit()):
        folder = os.path.join(proc, str(pid), "fd")
        try:
            numbers = os.listdir(folder)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError:
            yield pid, None
        else:
            yield pid, targets(folder, numbers)


def targets(folder, numbers):
    for number in numbers:
        try:
            yield os.readlink(os.path.join(folder, number))
        except OSError:
            continue  # closed, or its process ended, in between
