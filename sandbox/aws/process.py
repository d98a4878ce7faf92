# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostless emulator as a child process, for tests and benchmarks: ``with Emulator() as aws: …``."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

from .isolation import ACCOUNT, FAKE_KEY, FAKE_SECRET, REGION

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


class Emulator:
    """``url`` once entered; ``client(service)`` gives a boto3 client of it, ``environment()`` what a child process needs."""

    def __init__(self, *arguments: str, start_timeout: float = 90.0) -> None:
        self._arguments = arguments
        self._start_timeout = start_timeout
        self._stack = contextlib.ExitStack()
        self._clients: dict[tuple[str, str, int], Any] = {}
        self.url = ""
        self.pid = 0

    def __enter__(self) -> Emulator:
        folder = pathlib.Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mlinfra-aws-")))
        ready, log = folder / "ready.json", folder / "log"
        with log.open("wb") as sink:
            child = subprocess.Popen(
                [sys.executable, "-m", "sandbox.aws.server", "--no-hosts", "--die-with-parent", "--ready-file", str(ready),
                 *self._arguments],
                cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            )
        self._stack.callback(self._end, child)
        deadline = time.monotonic() + self._start_timeout
        while not ready.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()
                self._stack.close()
                raise RuntimeError(f"the emulated AWS did not start: {said or 'no answer in time'}")
            time.sleep(0.05)
        facts = json.loads(ready.read_text())
        self.url, self.pid = facts["url"], facts["pid"]
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def control(self, method: str, what: str, payload: Any = None) -> Any:
        """One request to ``/sandbox/<what>``, see gate.py.

        :raises ValueError: the emulator refused it, with its reason.
        """
        data = None if payload is None else json.dumps(payload).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/sandbox/{what}", data=data, method=method, headers=kind)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None

    def reset(self) -> None:
        self.control("POST", "reset")

    def fault(self, **rule: Any) -> None:
        self.control("POST", "faults", [rule])

    def timing(self, **seconds: float) -> None:
        self.control("PUT", "timing", seconds)

    def quotas(self, values: dict[str, float | None]) -> None:
        """Code → value of the account; None: no value of its own."""
        self.control("PUT", "quotas", values)

    def requests(self) -> dict[str, Any]:
        return self.control("GET", "requests")

    def session(self, access_key: str = FAKE_KEY, secret_key: str = FAKE_SECRET, token: str | None = None) -> Any:
        """A boto3 session with the sandbox's fake keys that reads no configuration of the user."""
        import boto3
        import botocore.session

        core = botocore.session.Session()
        core.set_config_variable("config_file", os.devnull)
        core.set_config_variable("credentials_file", os.devnull)
        return boto3.Session(access_key, secret_key, token, REGION, botocore_session=core)

    def client(self, service: str, region: str = REGION, attempts: int = 1, session: Any = None) -> Any:
        """A boto3 client of the emulator; ``attempts`` above 1 lets it retry. Made once: that takes longer than most calls."""
        if session is not None:
            return self._new_client(session, service, region, attempts)
        asked = (service, region, attempts)
        if asked not in self._clients:
            self._clients[asked] = self._new_client(self.session(), service, region, attempts)
        return self._clients[asked]

    def _new_client(self, session: Any, service: str, region: str, attempts: int) -> Any:
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, connect_timeout=5, read_timeout=60, proxies={})
        return session.client(service, region_name=region, endpoint_url=self.url, config=config)

    def environment(self, base: dict[str, str] | None = None) -> dict[str, str]:
        """Variables of a child process that is to use this emulator and nothing else."""
        kept = {name: value for name, value in (os.environ if base is None else base).items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": FAKE_KEY, "AWS_SECRET_ACCESS_KEY": FAKE_SECRET,
            "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
            "MLINFRA_LOCAL_ONLY": "1",
        }


__all__ = ["ACCOUNT", "Emulator", "REGION"]
