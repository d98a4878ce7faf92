# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS as a process: ``python -m sandbox.aws.server --port 0 --no-hosts --ready-file F``.

State is in memory and dies with the process. The ready file holds {"port", "pid", "url"} and is written once requests are answered.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import os
import pathlib
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Collection
from typing import Any

from . import inner
from .isolation import FAKE_KEY, REGION, forget_customer_models, quarantine

#: Calls made before the server says that it is ready: moto reads a service's model on its first call, once for each thread that asks.
WARM = {
    "ec2": {"Action": "DescribeVpcs", "Version": "2016-11-15"}, "iam": {"Action": "ListRoles", "Version": "2010-05-08"},
    "sts": {"Action": "GetCallerIdentity", "Version": "2011-06-15"}, "s3": {}, "ecr": {"target": "DescribeRepositories"},
    "ssm": {"target": "DescribeParameters"},
}
TARGETS = {"ecr": "AmazonEC2ContainerRegistry_V20150921", "ssm": "AmazonSSM"}
PR_SET_PDEATHSIG = 1


class Server:
    """moto behind the gate, on as many addresses as are asked for, all on one port. Import moto only through this."""

    def __init__(self, port: int = 0, without: Collection[str] = (), hosts: bool = False) -> None:
        quarantine()
        forget_customer_models()
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        from . import patches, seeds
        from .gate import Gate

        applied = patches.apply(without)
        dispatcher = DomainDispatcherApplication(create_backend_app)
        _warm(dispatcher)
        seeds.plant()
        self.gate = Gate(dispatcher, self._reset, {"patches": applied, "hosts": hosts})
        inner.serve_with(dispatcher, self.gate.faults)
        self.port = port
        self._listeners: dict[str, tuple[Any, threading.Thread]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def _reset() -> None:
        from moto.moto_api._internal.models import moto_api_backend

        from . import seeds

        moto_api_backend.reset()
        seeds.plant()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listen(self, address: str) -> None:
        """Answer on this address too; nothing happens when it does already.

        :raises OSError: the address is not this machine's, or its port is taken.
        """
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Quiet(MotoRequestHandler):
            def log_request(self, *_: Any) -> None:
                """Requests are counted by the gate; a line each would drown the log."""

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        with self._lock:
            if address in self._listeners:
                return
            with socket.create_server((address, self.port)) as bound:  # werkzeug would end the process when it cannot bind
                listener = make_server(*bound.getsockname(), self.gate, threaded=True, request_handler=Quiet, fd=bound.fileno())
            listener.daemon_threads = True
            self.port = listener.port
            serving = threading.Thread(target=listener.serve_forever, name=f"aws-{address}", daemon=True)
            self._listeners[address] = (listener, serving)
            serving.start()

    def unlisten(self, address: str) -> None:
        """Stop answering on this address; nothing happens when it does not."""
        with self._lock:
            listener, serving = self._listeners.pop(address, (None, None))
        if listener is not None:
            listener.shutdown()
            serving.join()  # its last act is to close the socket, and it may still be at it when shutdown() returns
            listener.server_close()

    def close(self) -> None:
        for address in list(self._listeners):
            self.unlisten(address)


def _warm(application: Any) -> None:
    """Ask each of the main services something."""
    from werkzeug.test import Client

    from .actions import call_of

    client = Client(application)
    for service, call in WARM.items():
        scope = f"AWS4-HMAC-SHA256 Credential={FAKE_KEY}/20250101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        headers = {"Authorization": scope, "Host": "127.0.0.1"}
        if "target" in call:
            headers |= {"X-Amz-Target": f"{TARGETS[service]}.{call['target']}", "Content-Type": "application/x-amz-json-1.1"}
            client.post("/", headers=headers, data="{}")
        elif call:
            client.post("/", headers=headers, data=call)
        else:
            client.get("/", headers=headers)
    call_of({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "127.0.0.1"})  # S3's actions are named by their paths


def write_ready(path: pathlib.Path, facts: dict[str, Any]) -> None:
    """Write the file in one step: whoever sees it sees all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(facts, file)
    os.replace(draft, path)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--ready-file", type=pathlib.Path, help="written once requests are answered")
    parser.add_argument("--state-dir", type=pathlib.Path, help="where the hosts of this sandbox live")
    parser.add_argument("--no-hosts", action="store_true", help="instances are entries in memory only")
    parser.add_argument("--without-patch", action="append", default=[], metavar="NAME", help="leave this patch out")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the process that started this one ends")
    options = parser.parse_args(argv)
    if not options.no_hosts and options.state_dir is None:
        parser.error("--state-dir is needed, or --no-hosts")
    return options


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    if options.die_with_parent:
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return 0
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        server = Server(options.port, options.without_patch, hosts=not options.no_hosts)
        server.listen("127.0.0.1")
    except (OSError, ValueError) as error:
        print(f"The emulated AWS cannot start on 127.0.0.1 port {options.port}: {error}", file=sys.stderr)
        return 1
    reconciler = None if options.no_hosts else start_hosts(server, options.state_dir)
    if options.ready_file:
        write_ready(options.ready_file, {"port": server.port, "pid": os.getpid(), "url": server.url})
    stop.wait()
    if reconciler is not None:
        reconciler.stop()
    server.close()
    return 0


def start_hosts(server: Server, state_dir: pathlib.Path) -> Any:
    """Give every running instance its host, for as long as the process lives."""
    from sandbox.aws.view import MotoView
    from sandbox.hosts.reconcile import Reconciler

    reconciler = Reconciler(MotoView(), state_dir, server.listen, server.unlisten)
    reconciler.start()
    return reconciler


if __name__ == "__main__":
    sys.exit(main())
