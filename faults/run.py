# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the engine in a process of its own, as every run of the module is one. Pauses are short; all else is as it ships."""

from __future__ import annotations

import copy
import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import act as acting
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import retry
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse, parse_scope
from sandbox.aws.isolation import FAKE_KEY, FAKE_SECRET, REGION

from .emulator import die_with_parent
from .gate import SILENT

LONGEST = 180  # seconds; a run takes one or two
PAUSE = 0.02


@dataclass
class Ran:
    """What a run's user would see, and whether it was killed or broke in a way that no user should see."""

    ok: bool = False
    changed: bool = False
    message: str = ""
    broke: str = ""  # a traceback
    killed: bool = False
    result: dict[str, Any] = field(default_factory=dict)


def clients(url: str) -> Clients:
    """Made once, before any fork, with everything loaded: that takes longer than a run."""
    made = Clients(REGION, endpoint_url=url, aws_access_key_id=FAKE_KEY, aws_secret_access_key=FAKE_SECRET)
    made.prepare(["sts", "ec2", "s3", "iam", "ecr", "ssm", "scheduler"])
    return made


def reconcile(using: Clients, wish: dict[str, Any], begun: Callable[[int], None] = lambda pid: None, check: bool = False) -> Ran:
    """:param begun: called with the run's process id before it starts."""

    def work() -> dict[str, Any]:
        stack, control = parse(copy.deepcopy(wish), check)
        told = engine.reconcile(stack, control, using)
        return {"changed": told["changed"], "plan": told["plan"], "summary": told["summary"]}

    return _forked(work, begun)


def owned(using: Clients, wish: dict[str, Any]) -> Ran:
    """What aws_stack_info says of the stack."""

    def work() -> dict[str, Any]:
        words = ("name", "environment", "account_id", "region")
        told = engine.read(parse_scope({word: wish[word] for word in words if word in wish}), using)
        return {"ids": [one["id"] for one in told["resources"] if one["owned"]]}

    return _forked(work, lambda pid: None)


def _forked(work: Callable[[], dict[str, Any]], begun: Callable[[int], None]) -> Ran:
    result_in, result_out = os.pipe()
    go_in, go_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        os.close(go_out)
        os.read(go_in, 1)
        text = json.dumps(_told(work), default=str).encode()
        with os.fdopen(result_out, "wb") as out:
            out.write(text)
        os._exit(0)
    os.close(result_out)
    os.close(go_in)
    begun(pid)
    os.write(go_out, b"1")
    os.close(go_out)
    said, late = _read(result_in, pid)
    _pid, status = os.waitpid(pid, 0)
    if late:
        return Ran(broke=f"the run did not end within {LONGEST} s")
    if os.WIFSIGNALED(status):
        return Ran(killed=os.WTERMSIG(status) == signal.SIGKILL, broke="" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {status}")
    return Ran(**json.loads(said)) if said else Ran(broke=f"the run ended with status {status} and said nothing")


def _read(source: int, pid: int) -> tuple[bytes, bool]:
    """All that comes, and whether the run had to be ended."""
    said, deadline, late = b"", time.monotonic() + LONGEST, False
    with os.fdopen(source, "rb", buffering=0) as stream:
        while True:
            if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0] and not late:
                os.kill(pid, signal.SIGKILL)
                late = True
            chunk = stream.read(1 << 16)
            if not chunk:
                return said, late
            said += chunk


def _told(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    _hasten()
    try:
        result = work()
        return {"ok": True, "changed": bool(result.get("changed")), "result": result}
    except (StackError, DocumentError) as error:
        return {"message": error.message, "result": error.result() if isinstance(error, StackError) else {}}
    except BaseException:
        return {"broke": traceback.format_exc()}


class _Hasty:
    """Stands in for the time module where the engine pauses."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, PAUSE))


def _hasten() -> None:
    retry.pause = lambda attempt: PAUSE
    acting.time = _Hasty
    send = URLLib3Session.send

    def patient(self: Any, request: Any) -> Any:
        answer = send(self, request)
        if SILENT in answer.headers:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    URLLib3Session.send = patient
