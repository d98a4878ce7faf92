# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket policy that denies what comes without TLS lets requests to the emulator pass, as it lets pass all that come by https.

AWS: a statement with ``Bool: {aws:SecureTransport: false}`` is about requests by plain http, which the endpoints of a stack never are.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
moto: does not look at that condition, so the statement denies every request. The emulator's plain http stands for AWS's https.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    permitted = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(self: Any, *arguments: Any, **options: Any) -> Any:
        if _about_plain_http(self._statement.get("Condition") or {}):
            return PermissionResult.NEUTRAL
        return permitted(self, *arguments, **options)

    IAMPolicyStatement.is_action_permitted = is_action_permitted


def _about_plain_http(condition: dict[str, Any]) -> bool:
    values = {key.lower(): value for key, value in condition.get("Bool", {}).items()}.get("aws:securetransport")
    return [str(value).lower() for value in (values if isinstance(values, list) else [values])] == ["false"]
