# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a patch may want to know of the request that its thread is serving."""

from __future__ import annotations

import threading
import time

from .actions import Call


class _Current(threading.local):
    call: Call | None = None
    began: float | None = None  # time.monotonic() of its begin
    terminate: str = ""  # from a fault: the StateReason that this launch's instances die with
    capacity: int = -1  # from a fault: how many instances this launch can get; -1: as many as it wants

    hollow: bool = False  # from a fault: a known fleet is answered with its id alone

    def form(self, action: str) -> dict[str, str]:
        """The form parameters, if the thread serves this action; empty when moto calls itself for something else."""
        return self.call.form if self.call is not None and self.call.action == action else {}


CURRENT = _Current()


def clock() -> float:
    """time.monotonic(), but while a request is served its begin: all that it answers is of one moment."""
    return time.monotonic() if CURRENT.began is None else CURRENT.began
