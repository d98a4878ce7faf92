# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Decides which failed requests are sent again by themselves, under every client of ours.

botocore's own retries are switched off because they also repeat a creation that may have taken effect: a timeout of
CreateVpc would make two. Here a creation without a token of its own is repeated only when it certainly had no effect.
"""

from __future__ import annotations

import random
import re
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import IN_PROGRESS, THROTTLED, ambiguous
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import decided

ATTEMPTS = 8
FIRST_CONNECTION_ATTEMPTS = 3  # an endpoint that is down is told within seconds
LONGEST = 12.0  # seconds between two attempts

#: Creations that have neither a token nor a name of their own in AWS: repeated blindly they make a second one.
TOKENLESS = frozenset(("CreateVpc", "CreateSubnet", "CreateInternetGateway", "CreateRouteTable", "CreateSecurityGroup", "AllocateAddress"))
#: Calls that answer "there already" (or worse) when the first attempt took effect: the engine looks what is there before it goes on.
NAMED = frozenset(
    (
        "CreateRole",
        "CreateInstanceProfile",
        "ImportKeyPair",
        "CreateRepository",
        "CreateBucket",
        "PutParameter",
        "AttachInternetGateway",
        "CreateRoute",
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "CreatePlacementGroup",
        "AddRoleToInstanceProfile",
    )
)
#: Reads that only inform (the preflight's): a run goes on without their answer, so it does not wait long for one.
INFORMING = frozenset(("GetServiceQuota", "GetAWSDefaultServiceQuota", "DescribeKey", "ListGrants", "GetKeyPolicy"))
_INFORMING_ATTEMPTS = 3


def pause(attempt: int) -> float:
    """Seconds to wait after that attempt (from 1): doubling, with jitter, from a quarter of a second."""
    return min(LONGEST, 0.25 * 2 ** (attempt - 1)) * (0.5 + random.random() / 2)


def delay(operation: str, attempt: int, code: str, status: int, failure: Optional[BaseException]) -> Optional[float]:
    """Seconds until the same request is sent again, or None to give up.

    :param failure: what kept an answer from coming; then code and status are empty.
    """
    if attempt >= ATTEMPTS or decided(code):
        return None
    if operation in INFORMING and (failure is not None or attempt >= _INFORMING_ATTEMPTS):
        return None
    if code in THROTTLED or code in IN_PROGRESS:
        return pause(attempt)
    if failure is not None:
        if type(failure).__name__ in ("EndpointConnectionError", "ProxyConnectionError"):
            return pause(attempt) if attempt < FIRST_CONNECTION_ATTEMPTS else None
        unknown = ambiguous(failure)
    else:
        unknown = status in (500, 502, 503, 504)
    if not unknown or operation in TOKENLESS or operation in NAMED:
        return None
    return pause(attempt)


def before_parse(response_dict: Any = None, **_unused: Any) -> None:
    """For botocore's ``before-parse`` event: a broken server's page that is not in the service's protocol becomes an empty answer.

    botocore raises ResponseParserError for most such pages, and asks nobody whether to send the request again; an empty body with the same
    status it knows as an error of the server.
    """
    if not isinstance(response_dict, dict) or int(response_dict.get("status_code") or 0) < 500:
        return
    body = response_dict.get("body")
    if isinstance(body, bytes) and re.match(rb"\s*<(!doctype\s+html|html|head|body)\b", body, re.IGNORECASE):
        response_dict["body"] = b""


def handler(
    response: Any = None, operation: Any = None, attempts: int = 1, caught_exception: Any = None, **_unused: Any
) -> Optional[float]:
    """For botocore's ``needs-retry`` event, which waits for as many seconds as are returned."""
    code, status = "", 0
    if response is not None:
        parsed = response[1] if isinstance(response, tuple) else {}
        code = str(parsed.get("Error", {}).get("Code", ""))
        status = int(getattr(response[0], "status_code", 0) or 0) if code else 0
    return delay(operation.name, attempts, code, status, caught_exception)
