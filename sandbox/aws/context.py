# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a patch may want to know of the request that its thread is serving."""

from __future__ import annotations

import threading

from .actions import Call


class _Current(threading.local):
    call: Call | None = None
    terminate: str = ""  # from a fault: the StateReason that this launch's instances die with


CURRENT = _Current()
