# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that tests put into the emulator: errors, delays, answers that never come, launches that die.

A rule is a JSON object:

``service``, ``action``  which calls it looks at (ec2, RunInstances); ``match`` narrows them to those whose path or body contains a text
``nth``                only the nth such call (from 1); ``times``: the first so many (default 1, 0 without end)
``code``, ``message``    answer with this AWS error, HTTP ``status`` (default by code)
``delay``              seconds to wait before the answer
``after_effect``       let the call take effect first, then answer with the error (or drop)
``drop``               close the connection without an answer
``capacity``           RunInstances gets at most so many instances: fewer than MinCount is InsufficientInstanceCapacity
``hollow``             CreateFleet answers a token that it knows with the fleet's id alone
``terminate``          RunInstances succeeds; its instances go from pending to terminated with this StateReason ("Code: message")
"""

from __future__ import annotations

import functools
import json
import threading
from dataclasses import dataclass, field, fields
from typing import Any
from xml.sax.saxutils import escape

from .actions import Call

#: HTTP status of codes that are not the client's fault.
#: Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (server error codes).
STATUS = {
    "InsufficientInstanceCapacity": 500, "InsufficientHostCapacity": 500, "InsufficientReservedInstanceCapacity": 500,
    "InsufficientCapacity": 500, "InternalError": 500, "InternalFailure": 500, "ServerInternal": 500, "Unavailable": 503,
    "RequestLimitExceeded": 503, "SlowDown": 503, "ServiceUnavailable": 503, "AccessDenied": 403, "UnauthorizedOperation": 403,
}


@dataclass
class Fault:
    service: str
    action: str
    match: str = ""
    nth: int = 0
    times: int = 1
    code: str = ""
    message: str = "injected by the sandbox"
    status: int = 0
    delay: float = 0.0
    after_effect: bool = False
    drop: bool = False
    terminate: str = ""
    capacity: int = -1
    hollow: bool = False
    seen: int = field(default=0, compare=False)

    @classmethod
    def read(cls, raw: Any) -> Fault:
        """:raises ValueError: no such field, or one is missing."""
        known = {one.name for one in fields(cls)} - {"seen"}
        if not isinstance(raw, dict) or not {"service", "action"} <= set(raw) <= known:
            raise ValueError(f"a fault is an object with service, action and any of {', '.join(sorted(known))}: {raw!r}")
        return cls(**raw)

    def applies(self, call: Call) -> bool:
        """Whether this call is hit; counts it when it is one the rule looks at."""
        if (call.service, call.action) != (self.service, self.action) or self.match not in call.text:
            return False
        self.seen += 1
        return self.seen == self.nth if self.nth else not self.times or self.seen <= self.times


class Faults:
    """The rules in force. The first that applies to a call wins."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, raw: Any) -> None:
        rules = [Fault.read(one) for one in (raw if isinstance(raw, list) else [raw])]
        with self._lock:
            self._rules += rules

    def clear(self) -> None:
        with self._lock:
            self._rules = []

    def hit(self, call: Call) -> Fault | None:
        with self._lock:
            return next((rule for rule in self._rules if rule.applies(call)), None)

    def state(self) -> list[dict[str, Any]]:
        with self._lock:
            return [vars(rule).copy() for rule in self._rules]


def error_answer(service: str, code: str, message: str, status: int = 0) -> tuple[int, str, bytes]:
    """(HTTP status, content type, body) of an AWS error in the service's own protocol."""
    status = status or STATUS.get(code, 400)
    protocol = _protocol(service)
    where, what = escape(code), escape(message)
    if "json" in protocol:
        return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    if protocol == "ec2":
        error = f"<Errors><Error><Code>{where}</Code><Message>{what}</Message></Error></Errors>"
        body = f"<Response>{error}<RequestID>sandbox</RequestID></Response>"
    elif protocol == "query":
        body = f"<ErrorResponse><Error><Code>{where}</Code><Message>{what}</Message></Error><RequestId>sandbox</RequestId></ErrorResponse>"
    else:
        body = f"<Error><Code>{where}</Code><Message>{what}</Message><RequestId>sandbox</RequestId></Error>"
    return status, "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()


#: Services whose requests are signed with another name than their model has.
MODELS = {"servicequotas": "service-quotas"}


@functools.lru_cache(maxsize=64)
def _protocol(service: str) -> str:
    from botocore.exceptions import UnknownServiceError
    from moto.core.utils import get_service_model

    try:
        return str(get_service_model(MODELS.get(service, service)).metadata.get("protocol", "rest-xml"))
    except (UnknownServiceError, ValueError, OSError):
        return "rest-xml"
