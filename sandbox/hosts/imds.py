# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IMDSv2 for every host: one listening socket in each host's network namespace, all served by this process.

The socket tells who asks, as the link does on EC2; the machine's own 169.254.169.254 is never touched.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from sandbox.hosts import metadata
from sandbox.hosts.network import METADATA
from sandbox.view import InstanceView

CLONE_NEWNET = 0x40000000
MAX_TTL = 21600
Lookup = Callable[[str], "InstanceView | None"]


def listen_in(namespace: Path) -> socket.socket:
    """A listening socket on 169.254.169.254:80 of that network namespace.

    Only a thread of its own may change its namespace; the socket stays where it was made (setns(2)).

    :raises OSError: the namespace is gone, or the address is not there yet.
    """
    result: list[socket.socket | OSError] = []

    def work() -> None:
        try:
            handle = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(handle, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(namespace))
                server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind((METADATA, 80))
                server.listen(64)
                server.setblocking(False)
                result.append(server)
            finally:
                os.close(handle)
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=work, name="imds-open")
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


class Tokens:
    """Session tokens of one instance. Times are of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def issue(self, seconds: int, now: float) -> str:
        self._until = {token: until for token, until in self._until.items() if until > now}
        token = secrets.token_urlsafe(42)
        self._until[token] = now + seconds
        return token

    def valid(self, token: str, now: float) -> bool:
        return self._until.get(token, 0) > now


def respond(
    method: str, path: str, headers: dict[str, str], view: InstanceView, tokens: Tokens, credentials: metadata.Credentials
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and extra headers. ``headers`` has lower-case names.

    As EC2: no token over a proxy (X-Forwarded-For), 400 for a bad TTL, 401 without a valid token where tokens are required.
    """
    now = time.monotonic()
    if path.rstrip("/") == "/latest/api/token":
        if method != "PUT":
            return 405, b"", {"Allow": "OPTIONS, PUT"}
        if "x-forwarded-for" in headers:
            return 403, b"", {}
        asked = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not asked.isdigit() or not 1 <= int(asked) <= MAX_TTL:
            return 400, b"", {}
        return 200, tokens.issue(int(asked), now).encode(), {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": asked}
    if method not in ("GET", "HEAD"):
        return 405, b"", {"Allow": "GET, HEAD"}
    token = headers.get("x-aws-ec2-metadata-token")
    if (token is None and view.http_tokens == "required") or (token is not None and not tokens.valid(token, now)):
        return 401, b"", {}
    if path in ("", "/"):
        return 200, b"latest", {}
    found = metadata.look_up(metadata.tree(view, credentials), path)
    return (404, b"", {}) if found is None else (200, found, {})


class MetadataService:
    """Serves all hosts from one selector thread; each connection gets a short-lived thread of its own."""

    def __init__(self, lookup: Lookup, credentials: metadata.Credentials) -> None:
        self._lookup = lookup
        self._credentials = credentials
        self._selector = selectors.DefaultSelector()
        self._servers: dict[str, socket.socket] = {}
        self._tokens: dict[str, Tokens] = {}
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._stopped = False
        self._thread = threading.Thread(target=self._serve, name="imds", daemon=True)
        self._thread.start()

    def open(self, instance_id: str, namespace: Path) -> None:
        """Answer this host; nothing happens when it is answered already."""
        with self._lock:
            if instance_id in self._servers:
                return
            server = listen_in(namespace)
            self._servers[instance_id] = server
            self._tokens.setdefault(instance_id, Tokens())
            self._selector.register(server, selectors.EVENT_READ, instance_id)
        self._wake.send(b"x")

    def close(self, instance_id: str) -> None:
        with self._lock:
            server = self._servers.pop(instance_id, None)
            self._tokens.pop(instance_id, None)
            if server is not None:
                self._selector.unregister(server)
                server.close()
        self._wake.send(b"x")

    def stop(self) -> None:
        self._stopped = True
        self._wake.send(b"x")
        self._thread.join(5)
        for instance_id in list(self._servers):
            self.close(instance_id)

    def _serve(self) -> None:
        while not self._stopped:
            for key, _events in self._selector.select():
                if key.data is None:
                    self._woken.recv(4096)
                    continue
                try:
                    connection, peer = key.fileobj.accept()  # type: ignore[union-attr]
                except OSError:
                    continue  # the host went away in between
                threading.Thread(target=self._answer, args=(key.data, connection, peer), name="imds-request", daemon=True).start()

    def _answer(self, instance_id: str, connection: socket.socket, peer: tuple[str, int]) -> None:
        view, tokens = self._lookup(instance_id), self._tokens.get(instance_id)
        with connection:
            if view is None or tokens is None:
                return
            # The hop limit is the packets' time to live: a container behind the host's own bridge gets no answer with 1.
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, max(1, min(64, view.hop_limit)))
            connection.settimeout(10)
            try:
                handler_for(view, tokens, self._credentials)(connection, peer, None)  # type: ignore[arg-type]
            except OSError:
                return


def handler_for(view: InstanceView, tokens: Tokens, credentials: metadata.Credentials) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "EC2ws", ""

        def _all(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body, extra = respond(self.command, self.path.split("?")[0], headers, view, tokens, credentials)
            self.send_response(status)
            for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _all

        def log_message(self, format: str, *args: object) -> None:
            """Requests of hosts are not worth a line each."""

    return Handler
