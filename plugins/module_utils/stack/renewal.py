# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keeps a lock for as long as its run lasts, and knows when that has failed.

A lock that ends soon after its holder blocks nobody for long, wherever the holder died. A holder that cannot renew it (its network is
gone, its machine was asleep) stops writing well before the lock ends for others: a request that is on its way by then has its time.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

LEASE = 1800.0  # seconds from each renewal to the end
EVERY = 300.0  # between renewals; most runs end before the first
GUARD = 600.0  # before the end in which nothing is written: longer than one call with all its repetitions


class Renewal:
    """:param renew: puts off the end; False when the lock is another run's by now; raises when it is not known."""

    def __init__(self, renew: Callable[[], bool]) -> None:
        self._renew = renew
        self._stopping = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._lost = False
        self._until = 0.0

    def start(self) -> None:
        """From now on, the lock having just been taken."""
        self._until = time.time() + LEASE
        self._thread = threading.Thread(target=self._work, name="lock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when no renewal is on its way: it would bring back a lock that is released."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def good(self) -> bool:
        """Whether the lock is certainly held long enough for one more call. By the wall clock: the others' clock runs while we sleep."""
        return not self._lost and time.time() < self._until - GUARD

    def _work(self) -> None:
        while not self._stopping.wait(EVERY):
            began = time.time()
            try:
                if not self._renew():
                    self._lost = True
                    return
                self._until = began + LEASE
            except Exception:  # tried again at the next time; if all fail, good() says so before the end
                continue
