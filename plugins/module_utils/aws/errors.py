# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Turns what boto raises into one sentence that says what was tried, what is wrong and what to do next."""

from __future__ import annotations

import re
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import decided


class StackError(Exception):
    """An end of the run that its user can act on. ``details`` go into the module's result beside ``msg``."""

    def __init__(self, message: str, hint: str = "", code: Optional[str] = None, request_id: Optional[str] = None, **details: Any) -> None:
        super().__init__(message)
        self.text = message
        self.hint = hint
        self.code = code
        self.request_id = request_id
        self.details = details

    @property
    def message(self) -> str:
        """One sentence, and one with the next step."""
        parts = [part.strip().rstrip(".") for part in (self.text, self.hint) if part]
        return " ".join(part if part.endswith("?") else f"{part}." for part in parts)

    def __str__(self) -> str:
        return self.message

    def result(self) -> dict[str, Any]:
        """For fail_json, without None."""
        known = {"hint": self.hint or None, "code": self.code, "request_id": self.request_id}
        return {key: value for key, value in {**known, **self.details}.items() if value is not None}


class Unanswered(StackError):
    """AWS answered, but not what the request did: it may have taken effect."""


EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired"))
INVALID = frozenset(("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId", "InvalidToken"))
MISSIGNED = frozenset(("SignatureDoesNotMatch", "InvalidSignatureException"))
DENIED = frozenset(("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "UnauthorizedAccess", "403", "Forbidden"))
THROTTLED = frozenset(
    (
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "SlowDown",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
    )
)

#: The first request with this token is still being served: what it does is not known yet.
IN_PROGRESS = frozenset(("IdempotentCallInProgress",))

# The IAM action where it is not the operation's name. Source: Service Authorization Reference, docs.aws.amazon.com/service-authorization.
_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
}


def code_of(error: BaseException) -> str:
    """The AWS error code, or an empty string."""
    return str(_answer_of(error).get("Error", {}).get("Code", ""))


def _answer_of(error: BaseException) -> dict[str, Any]:
    """What AWS answered; failures of the connection have a ``response`` too, which is None."""
    return getattr(error, "response", None) or {}


def message_of(error: BaseException) -> str:
    return str(_answer_of(error).get("Error", {}).get("Message", "") or error)


def ambiguous(error: BaseException) -> bool:
    """Whether the request may have taken effect although it failed: no answer, or the service broke while it worked."""
    if code_of(error) in THROTTLED or decided(code_of(error)):
        return False
    if isinstance(error, Unanswered) or code_of(error) in IN_PROGRESS:
        return True
    response = getattr(error, "response", None)
    if response is not None:
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0) >= 500
    name = type(error).__name__
    return name in (
        "ReadTimeoutError",
        "ConnectionClosedError",
        "ConnectTimeoutError",
        "IncompleteReadError",
        "ResponseStreamingError",
        "HTTPClientError",
        "ResponseParserError",  # a page of a proxy or of a service that broke, instead of an answer
    )


def explain(error: Exception, call: str = "") -> StackError:
    """The StackError for anything that boto raises.

    :param call: ``service:Operation`` that was tried; ClientErrors know their operation.
    """
    if isinstance(error, StackError):
        return error
    if getattr(error, "response", None) is not None:
        return _from_answer(error, call)
    return _from_client(error)


def _from_answer(error: Any, call: str) -> StackError:
    code, message = code_of(error), message_of(error)
    service = call.split(":", 1)[0] if call else "aws"
    operation = getattr(error, "operation_name", "") or call.rpartition(":")[2]
    tried = f"{service}:{operation}"
    tail = {"code": code, "request_id": error.response.get("ResponseMetadata", {}).get("RequestId"), "call": tried}
    if code in EXPIRED:
        return StackError(f"the AWS credentials have expired ({code} from {tried})", "Log in again, or renew the session token", **tail)
    if code == "AuthFailure" and re.search(r"(?i)not authorized", message):  # EC2's word also for what belongs to somebody else
        return StackError(
            f"not allowed: {tried} was refused ({_short(message)})",
            "Let its owner share it with this account, or name another one",
            **tail,
        )
    if code in INVALID:
        return StackError(
            f"AWS does not know these credentials ({code} from {tried}: {message})",
            "Check access key and session token, and that the region is enabled for the account",
            **tail,
        )
    if code in MISSIGNED:
        return StackError(
            f"the secret key does not belong to the access key ({code} from {tried})", "Check secret_key and this machine's clock", **tail
        )
    if code in DENIED:
        named = re.search(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)", message)  # iam:PassRole of RunInstances, for one
        action = named.group(1) if named else _ACTIONS.get(tried, tried)
        return StackError(
            f"not allowed: {tried} was refused ({_short(message)})",
            f"Grant the IAM action {action} to the credentials in use, or look for a boundary or service control policy that denies it",
            missing_action=action,
            **tail,
        )
    if code in THROTTLED:
        return StackError(
            f"AWS throttles {tried} ({code}) and did not stop doing so", "Run again later: what was made is found and kept", **tail
        )
    if code in ("DependencyViolation", "DeleteConflict", "InvalidIPAddress.InUse"):
        hint = "Something that this stack does not own uses it: remove that, and run again"
        return StackError(f"{tried} failed: {_short(message)} ({code})", hint, **tail)
    if code == "OptInRequired" and "marketplace" in message.lower():
        return StackError(
            f"{tried} failed: the image is sold in AWS Marketplace, and this account has no subscription to it ({_short(message)})",
            "Subscribe at the address that AWS names and run again, or choose another image",
            **tail,
        )
    if code == "OptInRequired":
        return StackError(
            f"this region or service is not enabled for the account ({tried}: {message})", "Enable it, or use another region", **tail
        )
    return StackError(f"{tried} failed: {code}: {_short(message)}", "Mend the cause and run again: what was made is found and kept", **tail)


def _from_client(error: Exception) -> StackError:
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"):
        return StackError(
            f"there are no usable AWS credentials ({error})",
            "Give access_key and secret_key or profile, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if name in ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"):
        return StackError(f"the AWS single sign-on session is not valid ({error})", "Run aws sso login")
    if name == "ProfileNotFound":
        return StackError(f"{str(error).rstrip('.')}", "Check the profile option and AWS_PROFILE")
    if name in ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError", "ConnectionError"):
        return StackError(
            f"no answer from AWS: {str(error).rstrip('.')}",
            "Check the network, the proxy, endpoint_url or AWS_ENDPOINT_URL, and that the region exists",
        )
    if name == "NoRegionError":
        return StackError("region is missing", "Give region or set AWS_REGION")
    if ambiguous(error):
        return StackError(f"AWS did not answer: {str(error).rstrip('.')}", "Run again: what was made is found and kept")
    if name == "ParamValidationError":
        return StackError(f"a request is malformed: {_short(str(error))}", "Check that the value is one that AWS takes")
    return StackError(f"{name}: {error}", "Run again; if it stays, report it with this text")


def _short(message: str) -> str:
    """AWS' own words without the encoded authorization blob."""
    text = re.sub(r"\s*Encoded authorization failure message:.*", "", " ".join(message.split()), flags=re.S)
    return text if len(text) <= 400 else text[:399] + "…"
