# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulated account in a process that can be forked: the fork begins with all that the account has, and leaves the original as it was.

One process tree is steered through one pipe. Whoever is youngest reads it; a parent waits until its fork has ended. All listen on the
same inherited socket, one at a time, so that the URL stays the same.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing.connection
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any

from sandbox.aws.server import PR_SET_PDEATHSIG, Server

from . import inventory
from .gate import StrikingGate
from .hiding import Hiding

#: Nothing takes time: what is slow in AWS is tested where it matters (tests/integration_aws), here it would only cost it.
AT_ONCE = {"pending": 0, "stopping": 0, "shutting_down": 0, "profile_propagation": 0}


def moto() -> StrikingGate:
    """moto with the sandbox's patches and seeds, in this process. To be called once, before anything is forked."""
    server = Server(hosts=False)
    inventory.SEEDS.update((thing.kind, thing.id) for thing in inventory.things())
    gc.collect()
    gc.freeze()
    gc.disable()  # processes that live for seconds; each collection would copy the pages that a fork shares
    return StrikingGate(server.gate._application, server.gate._reset, server.gate._facts)


def die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Account:
    """The steering end. ``with account.fork():`` is a copy to spoil."""

    def __init__(self, gate: StrikingGate, bound: socket.socket) -> None:
        ours, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            die_with_parent()
            try:
                _Served(gate, bound, theirs).steer()
            finally:
                os._exit(0)
        theirs.close()
        self._pipe = ours

    def ask(self, what: str, *arguments: Any) -> Any:
        """:raises RuntimeError: the process says that it cannot, or is dead."""
        try:
            self._pipe.send((what, *arguments))
            good, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(f"the emulator died when asked to {what}") from error
        if not good:
            raise RuntimeError(f"{what}: {answer}")
        return answer

    def fork(self) -> Account:
        self.ask("fork")
        return self

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: Any) -> None:
        self.ask("end")

    def close(self) -> None:
        """End the account itself; not while it has a fork."""
        self._pipe.send(("end",))
        os.waitpid(self.pid, 0)
        self._pipe.close()


class _Served:
    def __init__(self, gate: StrikingGate, bound: socket.socket, pipe: multiprocessing.connection.Connection) -> None:
        self.gate, self.bound, self.pipe = gate, bound, pipe
        self.listener: Any = None
        self.depth = 0

    def steer(self) -> None:
        hiding = Hiding()
        known: dict[str, Callable[..., Any]] = {
            "serve": self.serve,
            "freeze": self.freeze,
            "arm": self.gate.arm,
            "disarm": self.gate.disarm,
            "quiet": self.gate.quiet,
            "calls": self.gate.writes,
            "timing": _timing,
            "things": inventory.things,
            "instances": inventory.instances,
            "lock": inventory.lock,
            "note": hiding.note,
            "hide": hiding.hide,
            "show": hiding.show,
        }
        while True:
            try:
                what, *arguments = self.pipe.recv()
            except EOFError:
                return
            if what == "end":
                if self.listener is not None:
                    self.gate.quiet()
                return
            if what == "fork":
                self.fork()
                continue
            try:
                answer = (True, known[what](*arguments))
            except Exception as error:
                answer = (False, f"{type(error).__name__}: {error}")
            self.pipe.send(answer)

    def fork(self) -> None:
        """The child goes on reading the pipe; the parent answers for its end."""
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            self.pipe.send((True, None))
            return
        die_with_parent()
        self.serve()
        self.pipe.send((True, None))

    def serve(self) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Quiet(MotoRequestHandler):
            def log(self, *_: Any) -> None:
                """A line for each request would drown what the cases say."""

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        self.gate._forget_requests()
        self.listener = make_server(*self.bound.getsockname(), self.gate, threaded=True, request_handler=Quiet, fd=self.bound.fileno())
        self.listener.daemon_threads = True
        threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def freeze(self) -> None:
        """Stop serving, with no thread left: only then may the process be forked."""
        self.listener.shutdown()
        self.listener = None
        for _time in range(500):
            if threading.active_count() == 1:
                return
            time.sleep(0.01)
        raise RuntimeError(f"threads are left: {threading.enumerate()}")


def _timing(seconds: dict[str, float]) -> None:
    from sandbox.aws.timing import TIMING

    TIMING.change(seconds)
