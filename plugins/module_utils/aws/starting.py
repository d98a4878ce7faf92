# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What became of an instance that EC2 agreed to start. Pure but for the clock.

A start can be accepted and end in ``stopped`` again, for want of capacity, for a key of its volumes that may not be used
(``Client.InternalError``) or since the host powered itself off, which only the StateReason says. But a stopped instance keeps the
StateReason of its last stop, and EC2 may show that one for seconds after StartInstances.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
https://docs.aws.amazon.com/AWSEC2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import decided

#: Seconds after which what EC2 shows is of this start, also where nobody has seen it begin.
SETTLED = 15.0


class Start:
    """One start, from StartInstances on."""

    def __init__(self, clock: Optional[Callable[[], float]] = None) -> None:
        self._clock = clock or time.monotonic
        self._since = self._clock()
        self._begun = False

    def refused(self, raw: Mapping[str, Any]) -> Optional[Mapping[str, str]]:
        """The StateReason of an instance that this start could not bring to run; None while it may still run.

        A reason that is not for capacity counts once the start was seen to begin, unless it is that somebody called StopInstances: the last
        stop was mostly that, and what EC2 shows may go back once more.

        :param raw: of DescribeInstances; to be told each of them.
        """
        state, reason = raw["State"]["Name"], raw.get("StateReason") or {}
        self._begun = self._begun or state in ("pending", "running")
        if state != "stopped":
            return None
        code = reason.get("Code", "")
        if decided(code):
            return reason if self._begun or self._clock() - self._since >= SETTLED else None
        return reason if self._begun and code and not code.startswith("Client.UserInitiated") else None
