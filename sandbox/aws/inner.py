# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that a service makes of another while it serves one: a fleet launches by RunInstances, with all that is mended there.

Not counted among the requests, since no client sent them; faults apply to them like to any call.
"""

from __future__ import annotations

import io
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

from .actions import FORM, call_of
from .context import CURRENT
from .faults import Faults

_SERVER: dict[str, Any] = {}


class Refused(Exception):
    """The inner call's error, as a client would read it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def serve_with(application: Callable[..., Any], faults: Faults) -> None:
    """To be called once by the server."""
    _SERVER.update(application=application, faults=faults)


def ec2(form: dict[str, str]) -> ElementTree.Element:
    """The answer of an EC2 call with these form parameters, without namespaces.

    :raises Refused: it has an error.
    """
    outer = CURRENT.call
    key, region = (outer.access_key, outer.region) if outer else ("", "us-east-1")
    body = urllib.parse.urlencode({"Version": "2016-11-15", **form}).encode()
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": f"ec2.{region}.amazonaws.com", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
        "HTTP_AUTHORIZATION": (
            f"AWS4-HMAC-SHA256 Credential={key}/20250101/{region}/ec2/aws4_request, SignedHeaders=host, Signature=0"),
    }
    call = call_of(environ)
    fault = _SERVER["faults"].hit(call)
    if fault and fault.code:
        raise Refused(fault.code, fault.message)
    before = (CURRENT.call, CURRENT.terminate, CURRENT.capacity)
    CURRENT.call = call
    if fault:
        CURRENT.terminate, CURRENT.capacity = fault.terminate or CURRENT.terminate, fault.capacity
    try:
        text = b"".join(_SERVER["application"](environ, lambda *_arguments, **_named: None))
    finally:
        CURRENT.call, CURRENT.terminate, CURRENT.capacity = before
    root = ElementTree.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.find(".//Errors/Error") is not None:
        raise Refused(root.findtext(".//Error/Code", ""), root.findtext(".//Error/Message", ""))
    return root
