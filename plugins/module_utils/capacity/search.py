# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One run's way through the offers of its pools: what failed is remembered for all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import Ruling, rules_out, ruling


class Tried(NamedTuple):
    """An offer that was tried, with what AWS said: ``code`` is None when it was taken."""

    offer: Offer
    code: Optional[str] = None
    message: str = ""
    request_id: Optional[str] = None

    def public(self) -> dict[str, object]:
        """For the module's result."""
        return {
            "instance_type": self.offer.instance_type,
            "zone": self.offer.zone,
            "market": self.offer.market,
            "reservation": self.offer.reservation,
            "usd_per_hour": self.offer.usd,
            "code": self.code,
            "message": self.message,
            "request_id": self.request_id,
        }


class Search:
    """Shared by all pools of a run, so that a quota found out with one of them is not asked for by the next."""

    def __init__(self) -> None:
        self.tried: list[Tried] = []
        self._out: list[tuple[Offer, Ruling]] = []

    def left(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those of the offers that nothing speaks against by now, in their order."""
        return [one for one in offers if self.against(one) is None]

    def against(self, offer: Offer) -> Optional[str]:
        """Why an offer is not worth a try any more; None while it is."""
        for failed, why in self._out:
            if rules_out(failed, why.scope, offer):
                return why.why
        return None

    def failed(self, offer: Offer, code: str, message: str = "", request_id: Optional[str] = None) -> Ruling:
        """Note a failure and what it says of the others. The caller ends its search when that is ``stop``."""
        self.tried.append(Tried(offer, code, message, request_id))
        found = ruling(code)
        if found.scope != "stop":
            self._out.append((offer, found))
        return found

    def noted(self, offer: Offer, code: str, message: str = "", request_id: Optional[str] = None) -> None:
        """Note a failure that says nothing of any offer: of a request for several of them as a whole."""
        self.tried.append(Tried(offer, code, message, request_id))

    def taken(self, offer: Offer, request_id: Optional[str] = None) -> None:
        self.tried.append(Tried(offer, request_id=request_id))
