# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RunInstances with a ClientToken launches once, however often it is sent.

AWS: the same token with the same parameters returns the same instances; with other parameters it is IdempotentParameterMismatch; once its
instances are terminated it is IdempotentInstanceTerminated, for at least a day. A request that failed leaves its token free. At most 64
ASCII characters.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: stores the token and launches again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from ..context import CURRENT
from ..timing import TIMING

LONGEST = 64
MISMATCH = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
_LOCK = threading.RLock()


@dataclass
class _Launch:
    request: dict[str, str]
    reservation_id: str
    ended: float | None = None  # when it was first seen with no instance left


def apply() -> None:
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses.instances import InstanceResponse

    original = InstanceResponse.run_instances

    def run_instances(self: Any) -> Any:
        form = CURRENT.form("RunInstances")
        token = form.get("ClientToken", "")
        if not token or form.get("DryRun", "").lower() == "true":
            return original(self)
        if len(token) > LONGEST or not token.isascii():
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{token}' for ClientToken: at most {LONGEST} ASCII characters.")
        request = {name: value for name, value in form.items() if name != "ClientToken"}
        with _LOCK:  # two requests with one token at the same time must not both launch
            launches: dict[str, _Launch] = self.ec2_backend.__dict__.setdefault("sandbox_launches", {})
            known = launches.get(token)
            if known is not None and not _forgotten(self.ec2_backend, known):
                if known.request != request:
                    raise EC2ClientError("IdempotentParameterMismatch", MISMATCH)
                if known.ended is not None:
                    raise EC2ClientError("IdempotentInstanceTerminated", f"The instances launched with {token} have been terminated.")
                return ActionResult(self.ec2_backend.reservations[known.reservation_id])
            result = original(self)
            launches[token] = _Launch(request, result.result.id)
            return result

    InstanceResponse.run_instances = run_instances


def _forgotten(backend: Any, launch: _Launch) -> bool:
    """Whether AWS would have forgotten this token by now. Notes when its instances ended."""
    reservation = backend.reservations.get(launch.reservation_id)
    if reservation is not None and any(instance.state != "terminated" for instance in reservation.instances):
        return False
    if launch.ended is None:
        launch.ended = time.monotonic()
    return time.monotonic() - launch.ended > TIMING.token_memory
