# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the AWS service and action that an HTTP request asks for, whatever its protocol."""

from __future__ import annotations

import functools
import io
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

#: Protocols that put the parameters, the action among them, in a form.
FORM = "application/x-www-form-urlencoded"
CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/")


@dataclass(frozen=True)
class Call:
    """One request: ``service`` as in the signature (ec2, s3, iam …), ``action`` as in the API reference (RunInstances …).

    ``text`` is the path, the query and the decoded body (capped), for rules that look for a value in it. ``form`` has the parameters
    of the protocols that send a form (ec2, iam, sts): ``{"TagSpecification.1.Tag.1.Key": "Name"}``.
    """

    service: str
    action: str
    access_key: str
    region: str
    text: str
    form: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"


def call_of(environ: dict[str, Any]) -> Call:
    """The call that a WSGI environment carries. Its body can still be read afterwards."""
    found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = found.groups() if found else ("", "", "")
    body = _body(environ)
    form: dict[str, str] = {}
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        action = target.rpartition(".")[2]
    elif environ.get("CONTENT_TYPE", "").startswith(FORM):
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        action = form.get("Action", "")
        body = urllib.parse.unquote_plus(body)
    else:
        action = _rest_action(service, environ)
    where = environ.get("PATH_INFO", "") + "?" + environ.get("QUERY_STRING", "")
    return Call(service, action or environ.get("REQUEST_METHOD", ""), key, region, f"{where}\n{body}", form)


def _body(environ: dict[str, Any], limit: int = 1 << 20) -> str:
    """The body as text, put back for whoever reads next; empty when it is larger than ``limit`` (an uploaded object)."""
    try:
        size = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return ""
    if not 0 < size <= limit:
        return ""
    raw = environ["wsgi.input"].read(size)
    environ["wsgi.input"] = io.BytesIO(raw)
    return raw.decode("utf-8", "replace")


def _rest_action(service: str, environ: dict[str, Any]) -> str:
    from moto.core.request import Request
    from werkzeug.exceptions import HTTPException

    router = _router(service or "s3")
    if router is None:
        return ""
    try:
        operation, _parameters = router.match(Request({**environ, "wsgi.input": io.BytesIO()}))
    except (HTTPException, KeyError, ValueError):
        return ""
    return str(operation.name)


@functools.lru_cache(maxsize=64)
def _router(service: str) -> Any:
    from botocore.exceptions import UnknownServiceError
    from moto.core.routing import get_service_router

    try:
        return get_service_router(service)
    except (UnknownServiceError, ValueError, OSError):
        return None
