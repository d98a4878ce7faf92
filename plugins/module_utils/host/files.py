# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Small files of the host as text."""

from __future__ import annotations

import os
import stat

LARGEST = 1024 * 1024


def read(path):
    """Text of a file; empty when it is missing, went away or may not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def text(path):
    """Text of a regular file of at most LARGEST bytes; None for others, for what may not be read, and for what is no UTF-8."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), encoding="utf-8", newline="") as file:
            status = os.fstat(file.fileno())
            return file.read() if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST else None
    except (OSError, UnicodeError):
        return None
