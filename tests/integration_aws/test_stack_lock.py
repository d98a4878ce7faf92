# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real processes with one declaration: whatever becomes of them, nothing is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration_aws.pools import BOOKWORM

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("run_script.py")
LOCK = "/mlinfra/vision/dev/lock"
SMALL = {
    **dict.fromkeys(("buckets", "repositories", "identity")),
    "network": {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["192.0.2.0/24"]}},
    "pools": [{"name": "train", "count": 2, "instance_types": ["g5.xlarge"], "image": BOOKWORM}],
}


class Run:
    """A run that waits for ``go()``."""

    def __init__(self, lab: Any, *lease: str, **options: Any) -> None:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".build" / "collections")}
        command = [sys.executable, str(SCRIPT), lab.aws.url, *lease]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._say(json.dumps(lab.declared({**SMALL, **options})))
        self._ready = False

    def _say(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def ready(self) -> None:
        assert self._ready or self.process.stdout.readline() == "ready\n"
        self._ready = True

    def go(self) -> None:
        self.ready()
        self._say("go")

    def told(self) -> dict[str, Any]:
        return json.loads(self.process.stdout.readline() or "{}")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def run(lab: Any) -> Iterator[Callable[..., Run]]:
    """``run()`` is a process that is ready to begin."""
    started: list[Run] = []

    def start(*lease: str, **options: Any) -> Run:
        started.append(Run(lab, *lease, **options))
        return started[-1]

    yield start
    for one in started:
        one.end()


def slow(lab, seconds: float, action: str = "CreateVpc") -> None:
    """The first such call takes so long, and its run holds the lock meanwhile."""
    lab.aws.fault(service="ec2", action=action, delay=seconds)


def held(lab) -> dict[str, Any] | None:
    listed = lab.client("ssm").get_parameters(Names=[LOCK])["Parameters"]
    return json.loads(listed[0]["Value"]) if listed else None


def until(true: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := true()):
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)
    return found


def once(lab) -> None:
    """There is one of everything, and no lock."""
    vpcs = [raw for raw in lab.client("ec2").describe_vpcs()["Vpcs"] if not raw["IsDefault"]]
    subnets = [raw for raw in lab.client("ec2").describe_subnets()["Subnets"] if not raw["DefaultForAz"]]
    assert (len(vpcs), len(subnets), len(lab.client("ec2").describe_internet_gateways()["InternetGateways"])) == (1, 1, 1)
    assert len(lab.alive()) == 2 and len(lab.instances()) == 2
    assert held(lab) is None
    assert not lab.run(**SMALL)["changed"]


def both(one: Run, other: Run) -> list[dict[str, Any]]:
    one.ready()
    other.ready()
    one.go()
    other.go()
    return sorted((one.told(), other.told()), key=lambda told: sorted(told.items()))


def test_of_two_at_once_one_is_told_who_holds_the_lock(lab, run):
    slow(lab, 3.0)
    one, other = run(), run()
    told = both(one, other)
    assert told[0] == {"changed": True}
    assert "the stack vision-dev is locked: " in told[1]["error"] and "(process " in told[1]["error"]
    assert any(f"(process {process.process.pid})" in told[1]["error"] for process in (one, other))
    once(lab)


def test_of_two_at_once_the_one_that_waits_finds_nothing_to_do(lab, run):
    slow(lab, 1.5)
    assert both(run(lock_timeout=120), run(lock_timeout=120)) == [{"changed": False}, {"changed": True}]
    once(lab)


def test_a_holder_that_was_killed_is_taken_over_at_once(lab, run):
    slow(lab, 1.0)
    first = run()
    first.go()
    until(lambda: held(lab))
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    time.sleep(1.2)  # what it had sent takes effect all the same
    second = run()
    second.go()
    assert second.told() == {"changed": True}
    once(lab)


def test_of_two_that_wait_for_an_expired_lock_one_takes_it_over(lab, run):
    value = {"owner": "someone on elsewhere", "run": "x", "since": 1, "expires": 2}
    lab.client("ssm").put_parameter(Name=LOCK, Value=json.dumps(value), Type="String")
    slow(lab, 1.5)
    assert both(run(lock_timeout=120), run(lock_timeout=120)) == [{"changed": False}, {"changed": True}]
    once(lab)


def test_a_run_that_lasts_longer_than_its_lock_renews_it(lab, run):
    """A lock of 4 s, a call of 8 s: the other one has to wait all the same."""
    slow(lab, 8.0, "CreateInternetGateway")
    first, second = run("4"), run("4", lock_timeout=120)
    second.ready()
    first.go()
    began = until(lambda: held(lab))
    second.go()
    assert until(lambda: (held(lab) or {}).get("expires", 0) > began["expires"] + 2)
    assert held(lab)["run"] == began["run"]
    assert (first.told(), second.told()) == ({"changed": True}, {"changed": False})
    once(lab)


def test_a_run_that_slept_past_its_lock_writes_no_more(lab, run):
    """As a laptop that was closed: another run has taken over meanwhile."""
    slow(lab, 1.0)
    first = run("2")
    first.go()
    until(lambda: held(lab))
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)  # what it had sent takes effect all the same
    second = run(lock_timeout=120)
    second.go()
    assert second.told() == {"changed": True}
    first.process.send_signal(signal.SIGCONT)
    error = first.told()["error"]
    assert "the lock /mlinfra/vision/dev/lock was lost" in error and "Run again" in error
    once(lab)
