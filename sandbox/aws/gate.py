# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application in front of moto: names and counts each call, injects faults, answers ``/sandbox/…``.

GET    /sandbox/requests        {"total", "by_action": {"ec2:RunInstances": n}, "by_key": {access key id: n}}
GET    /sandbox/requests/log    the last calls: [{"call", "key", "status", "seconds", "from"}]
POST   /sandbox/requests/reset  forget them
GET, POST, DELETE /sandbox/faults   rules, see faults.py
GET, PUT          /sandbox/timing   delays, see timing.py
GET, PUT          /sandbox/quotas   the account's quotas, see quotas.py
POST   /sandbox/reset           forget everything but the seeds (moto's own /moto-api/reset would lose those)
GET    /sandbox/health          {"patches": [...], "hosts": bool}

Control answers this machine only: hosts on a bridge get 403.
"""

from __future__ import annotations

import collections
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from .actions import Call, call_of
from .context import CURRENT
from .faults import Fault, Faults, error_answer
from .quotas import QUOTAS
from .timing import TIMING
from .visibility import Visibility

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]
LOG_LENGTH = 20000


class Gate:
    def __init__(self, application: Application, reset: Callable[[], None], facts: dict[str, Any]) -> None:
        self._application = application
        self._reset = reset
        self._facts = facts
        self._lock = threading.Lock()
        self.faults = Faults()
        self._visibility = Visibility()
        self._log: collections.deque[dict[str, Any]] = collections.deque(maxlen=LOG_LENGTH)
        self._by_action: collections.Counter[str] = collections.Counter()
        self._by_key: collections.Counter[str] = collections.Counter()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/sandbox/"):
            return self._control(path, environ, start)
        if path.startswith("/moto-api/"):
            return self._application(environ, start)
        return self._serve(environ, start)

    def _serve(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        call, begun = call_of(environ), time.monotonic()
        fault = self.faults.hit(call)
        status = [0]

        def watched(line: str, *arguments: Any, **named: Any) -> Any:
            status[0] = int(line.split()[0])
            return start(line, *arguments, **named)

        try:
            if fault:
                return self._faulty(fault, call, environ, watched)
            hidden = self._visibility.hidden(call)
            if hidden:
                return _answer(watched, *error_answer(call.service, *hidden))
            return self._pass(call, environ, watched)
        finally:
            with self._lock:
                self._by_action[call.name] += 1
                self._by_key[call.access_key] += 1
                self._log.append({
                    "call": call.name, "key": call.access_key, "status": status[0],
                    "seconds": round(time.monotonic() - begun, 4), "from": environ.get("REMOTE_ADDR", ""),
                })

    def _pass(self, call: Call, environ: dict[str, Any], start: Start, fault: Fault | None = None) -> Iterable[bytes]:
        CURRENT.call, CURRENT.terminate, CURRENT.capacity = call, fault.terminate if fault else "", fault.capacity if fault else -1
        CURRENT.began, CURRENT.hollow = time.monotonic(), bool(fault and fault.hollow)
        broken: list[str] = []

        def forwarded(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if line.startswith("500") and dict(headers).get("Content-Type", "").startswith("text/html"):
                broken.append(line)
                return lambda _data: None
            return start(line, headers, *more)

        try:
            answer = self._application(environ, forwarded)
            if broken:  # flask's page for an exception in moto: AWS answers in the service's own protocol, and the callers ask again
                return _answer(start, *error_answer(call.service, "InternalError", "moto failed: the emulator's log says how", 500))
            if TIMING.visibility:
                answer = [b"".join(answer)]
                self._visibility.note(call, answer[0])
            return answer
        finally:
            CURRENT.call, CURRENT.began, CURRENT.terminate, CURRENT.capacity, CURRENT.hollow = None, None, "", -1, False

    def _faulty(self, fault: Fault, call: Call, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        fails = bool(fault.code or fault.drop)
        if fault.after_effect and fails:
            for _chunk in self._pass(call, environ, lambda *_a, **_n: None, fault):
                pass
        if fault.delay:
            time.sleep(fault.delay)
        if not fails:
            return self._pass(call, environ, start, fault)
        if fault.drop:
            return _hang_up(environ)
        return _answer(start, *error_answer(call.service, fault.code, fault.message, fault.status))

    def _control(self, path: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if not environ.get("REMOTE_ADDR", "").startswith("127."):
            return _json(start, 403, {"error": "only this machine may ask"})
        try:
            return _json(start, 200, self._controlled(environ["REQUEST_METHOD"], path.removeprefix("/sandbox/"), _payload(environ)))
        except LookupError as error:
            return _json(start, 404, {"error": str(error)})
        except ValueError as error:
            return _json(start, 400, {"error": str(error)})

    def _controlled(self, method: str, what: str, payload: Any) -> Any:
        """The answer to one control request.

        :raises LookupError: there is no such thing.
        :raises ValueError: the payload is not what this takes.
        """
        match (method, what):
            case ("GET", "requests"):
                with self._lock:
                    return {"total": sum(self._by_action.values()), "by_action": dict(self._by_action), "by_key": dict(self._by_key)}
            case ("GET", "requests/log"):
                with self._lock:
                    return list(self._log)
            case ("POST", "requests/reset"):
                self._forget_requests()
            case ("GET", "faults"):
                return self.faults.state()
            case ("POST", "faults"):
                self.faults.add(payload)
            case ("DELETE", "faults"):
                self.faults.clear()
            case ("GET", "timing"):
                return TIMING.state()
            case ("PUT", "timing"):
                TIMING.change(payload)
            case ("GET", "quotas"):
                return QUOTAS.state()
            case ("PUT", "quotas"):
                QUOTAS.change(payload)
            case ("POST", "reset"):
                self.faults.clear()
                TIMING.reset()
                QUOTAS.reset()
                self._reset()
                self._forget_requests()
            case ("GET", "health"):
                return self._facts
            case _:
                raise LookupError(f"no {method} /sandbox/{what}")
        return {}

    def _forget_requests(self) -> None:
        with self._lock:
            self._log.clear()
            self._by_action.clear()
            self._by_key.clear()


def _payload(environ: dict[str, Any]) -> Any:
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return json.loads(raw) if raw.strip() else None


def _json(start: Start, status: int, value: Any) -> Iterable[bytes]:
    return _answer(start, status, "application/json", json.dumps(value).encode())


def _answer(start: Start, status: int, kind: str, body: bytes) -> Iterable[bytes]:
    start(f"{status} {HTTPStatus(status).phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _hang_up(environ: dict[str, Any]) -> Iterable[bytes]:
    """Close the caller's connection under it, as a broken network path would."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("dropped by a fault")
