# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the emulated AWS before anybody created anything."""

from __future__ import annotations


def plant() -> None:
    """Put the seeds into moto's backends. Called at start and after every reset."""
