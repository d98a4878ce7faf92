# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are not the caller's fault have their own HTTP status.

AWS: capacity and internal errors answer 500, throttling and unavailability 503, so SDKs retry them by status too.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: everything that the service model does not name is 400.
"""

from __future__ import annotations

from typing import Any

from ..faults import STATUS


def apply() -> None:
    from moto.core.serialize import EC2Serializer

    original = EC2Serializer._serialized_error_to_response

    def serialized(self: Any, resp: Any, error: Exception, *rest: Any) -> Any:
        answer = original(self, resp, error, *rest)
        answer["status_code"] = STATUS.get(getattr(error, "code", ""), answer["status_code"])
        return answer

    EC2Serializer._serialized_error_to_response = serialized
