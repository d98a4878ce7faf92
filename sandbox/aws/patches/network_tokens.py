# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateNatGateway and CreateVpcEndpoint with a ClientToken make one, however often they are sent.

AWS: both take a ClientToken for that; the same token with other parameters is IdempotentParameterMismatch.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html,
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
moto: takes the token and makes another one, or finds the address taken.
"""

from __future__ import annotations

import threading
from typing import Any

from ..context import CURRENT
from .client_token import MISMATCH

_LOCK = threading.RLock()


def apply() -> None:
    from moto.ec2.models.nat_gateways import NatGatewayBackend
    from moto.ec2.models.vpcs import VPCBackend

    _once(NatGatewayBackend, "create_nat_gateway", "CreateNatGateway")
    _once(VPCBackend, "create_vpc_endpoint", "CreateVpcEndpoint")


def _once(backend_class: Any, method: str, action: str) -> None:
    from moto.ec2.exceptions import EC2ClientError

    original = getattr(backend_class, method)

    def create(self: Any, *arguments: Any, **options: Any) -> Any:
        form = CURRENT.form(action)
        token = form.get("ClientToken", "")
        if not token:
            return original(self, *arguments, **options)
        with _LOCK:  # two requests with one token at the same time must not both make one
            known = self.__dict__.setdefault("sandbox_made", {}).get((action, token))
            if known is None:
                known = form, original(self, *arguments, **options)
                self.__dict__["sandbox_made"][(action, token)] = known
            request, made = known
            if request != form:
                raise EC2ClientError("IdempotentParameterMismatch", MISMATCH)
            return made

    setattr(backend_class, method, create)
