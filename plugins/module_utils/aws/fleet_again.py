# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which failures inside a fleet's answer pass, and how long a run waits for that. Pure.

CreateFleet answers with HTTP 200 and the errors of its launches inside, so that ``retry.py`` never sees them: that EC2 was busy, or does
not know yet what this run made. The same token would have the same answer, so each further try is a fleet of its own. A run that goes on
after a kill comes by the same fleets, in the same order, and so to the same last one.
Source: Amazon EC2 API reference, CreateFleetError; "Error codes for the Amazon EC2 API", server error codes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import THROTTLED
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet import Refusal
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.propagation import window
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import decided

BUSY = THROTTLED | {"InternalError", "InternalFailure", "ServerInternal", "ServiceUnavailable", "Unavailable"}
_BUSY_FOR = 60.0  # seconds
_LONGEST = 8.0  # seconds between two fleets


#: A fleet's word for a type that the zone does not have, and also for a request that is wrong as a whole: then all say it.
UNFIT = "InvalidFleetConfiguration"
#: What a fleet says also of pools that it did not try: it tries a few of them.
UNTRIED = "UnfulfillableCapacity"


class Verdict(NamedTuple):
    """The refusal that no other offer would mend, None without one; ``seconds``: for how long after the first of its kind to try again."""

    refusal: Optional[Refusal] = None
    seconds: float = 0.0


def verdict(refusals: Iterable[Refusal], made: Collection[str], removed: Collection[str]) -> Verdict:
    """What a fleet's refusals come to: the one that lasts longest, since all have to pass."""
    told = list(refusals)
    wrong = {one.code for one in told} == {UNFIT}
    found = [Verdict(one, _passes(one, made, removed)) for one in told if wrong or not decided(one.code)]
    lasting = next((one for one in found if not one.seconds), None)
    return lasting or max(found, key=lambda one: one.seconds, default=Verdict())


def untried(refusals: Iterable[Refusal]) -> frozenset[Offer]:
    """The offers that are worth a fleet of their own: EC2 gives another offer a reason, and of these it may just not have got to them.

    Source: Amazon EC2 user guide, "EC2 Fleet of type instant": such a fleet does not try all of its pools.
    """
    told = [one for one in refusals if one.offer is not None]
    if all(one.code == UNTRIED for one in told):
        return frozenset()
    others = {one.offer for one in told if one.code != UNTRIED}
    return frozenset(one.offer for one in told if one.code == UNTRIED and one.offer not in others)


def _passes(refusal: Refusal, made: Collection[str], removed: Collection[str]) -> float:
    """Seconds within which it may pass; 0 for one that does not."""
    if refusal.code in BUSY:
        return _BUSY_FOR
    # of its launches, or of the template that it launches from, which was made a moment before
    allowed = [window(call, refusal.code, refusal.message, made, removed) for call in ("ec2:RunInstances", "ec2:CreateFleet")]
    return max((seconds for seconds in allowed if seconds is not None), default=0.0)


class Patience:
    """How long one launch is tried again: with growing pauses, until its time is over."""

    def __init__(self) -> None:
        self._first: Optional[float] = None
        self._pause = 1.0

    def pause(self, now: float, seconds: float) -> Optional[float]:
        """Seconds until the next try, the last one at the end of the time; None once that is over.

        :param seconds: from the first failure on.
        """
        self._first = now if self._first is None else self._first
        left = self._first + seconds - now
        if left <= 0:
            return None
        pause, self._pause = min(self._pause, left), min(self._pause * 2, _LONGEST)
        return pause
