# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which one call goes wrong. What EC2, IAM, S3, ECR and SSM answer then is theirs; when it happens is ours."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

LAUNCHES = ("RunInstances", "CreateFleet")
#: Services answer throttling with different codes. Source: "Common errors" of each service's API reference.
THROTTLED = {"ec2": "RequestLimitExceeded", "s3": "SlowDown", "iam": "Throttling", "sts": "Throttling"}
#: Calls whose answer names something that other calls may not find for a while.
NEW = ("Create", "Allocate", "Import", "Run", "AddRoleToInstanceProfile")


@dataclass(frozen=True)
class Mode:
    """``survived``: the same run goes on and succeeds; otherwise the next one has to."""

    name: str
    about: str
    survived: bool = False
    kills: bool = False
    rule: tuple[tuple[str, Any], ...] = ()

    def applies(self, service: str, action: str) -> bool:
        if self.name.startswith("dies-") or self.name == "killed-unseen":
            return service == "ec2" and action in LAUNCHES
        if self.name == "hollow":
            return (service, action) == ("ec2", "CreateFleet")
        if self.name == "unseen":
            return service in ("ec2", "iam") and action.startswith(NEW)
        return True

    def rules(self, service: str, action: str, nth: int) -> list[dict[str, Any]]:
        """For the emulator; two rules of the same number hit two calls that follow one another."""
        rule = {"service": service, "action": action, "nth": nth, **dict(self.rule)}
        if self.name == "throttled":
            code = THROTTLED.get(service, "ThrottlingException")
            return [{**rule, "code": code, "status": 503 if service in THROTTLED else 400}] * 2
        if self.name == "hollow":
            return [{**rule, "drop": True, "after_effect": True}, {**rule, "hollow": True}]
        if self.name == "unanswered":  # one way at this position, the other one at the next
            dropped = zlib.crc32(f"{action}{nth}".encode()) % 2
            return [{**rule, **({"drop": True, "after_effect": True} if dropped else {"silent": True})}]
        return [rule]


MODES = {
    one.name: one
    for one in (
        Mode("refused", "answered with a client error, no effect", rule=(("code", "ValidationError"), ("status", 400))),
        Mode("broken", "HTTP 500, no effect", True, rule=(("code", "InternalError"), ("status", 500))),
        Mode("lost", "HTTP 500 after it took effect", True, rule=(("code", "InternalError"), ("status", 500), ("after_effect", True))),
        Mode("unanswered", "it took effect, and then the connection ends or the time for an answer does", True),
        Mode("hollow", "the answer is lost, and that to the repeated request says nothing but the fleet's id", True),
        Mode("throttled", "throttled twice", True),
        Mode("unseen", "what it made cannot be named in other calls for a while", True, rule=(("unseen", 0.25),)),
        Mode(
            "dies-capacity", "accepted, then ended for want of capacity", True,
            rule=(("terminate", "Server.InsufficientInstanceCapacity: none left"),),
        ),
        Mode("dies-client", "accepted, then ended by a client error", rule=(("terminate", "Client.InternalError: error on launch"),)),
        Mode("killed-before", "the run is killed before the call takes effect", kills=True, rule=(("kill", "before"),)),
        Mode("killed-after", "the run is killed after it took effect", kills=True, rule=(("kill", "after"),)),
        Mode("killed-unseen", "and the next run is not shown yet what it launched", kills=True, rule=(("kill", "after"),)),
    )
}  # fmt: skip
