# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One emulated AWS for the session; ``lab`` is the engine in this process against it, with everything forgotten before each test."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse
from sandbox.aws.isolation import ACCOUNT, FAKE_KEY, FAKE_SECRET, REGION
from sandbox.aws.process import Emulator
from tests.integration_aws.pools import BOOKWORM, QUIET

CHECKOUT = Path(__file__).resolve().parents[2]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rWJ1n1u0Q2n0cVqkL0l3yZcM0aXH6o5GvC3y8yZ1a someone"
READS = ("Describe", "Get", "List", "Head")

#: Every section in its everyday form.
WHOLE: dict[str, Any] = {
    "name": "vision",
    "environment": "dev",
    "account_id": ACCOUNT,
    "region": REGION,
    "tags": {"cost-center": "ml"},
    "network": {"cidr": "10.42.0.0/16", "zone_count": 3, "access": {"cidrs": ["192.0.2.0/24"]}},
    "key": {"public_key": PUBLIC_KEY},
    "buckets": [{"name": "data", "lifecycle": [{"prefix": "tmp/", "expire_days": 7}]}],
    "repositories": [{"name": "train", "keep_last": 20}],
    "identity": {"read": ["data"], "pull": ["train"]},
    "pools": [{"name": "train", "count": 8, "instance_types": ["g5.xlarge"], "image": BOOKWORM}],
}


class Lab:
    """``run(section=…)`` brings the whole stack about, with the sections given instead of the usual ones; None leaves one out."""

    _made: ClassVar[dict[str, Clients]] = {}

    def __init__(self, aws: Emulator) -> None:
        self.aws = aws
        self.options: dict[str, Any] = {}  # of the connection: region, keys, endpoint

    def clients(self) -> Clients:
        """Made once for the same options: that takes longer than most runs."""
        key = repr(sorted(self.options.items()))
        if key not in self._made:
            self._made[key] = self._new_clients()
        return self._made[key]

    def _new_clients(self) -> Clients:
        keys = {"aws_access_key_id": FAKE_KEY, "aws_secret_access_key": FAKE_SECRET, "endpoint_url": self.aws.url, **self.options}
        return Clients(keys.pop("region", REGION), **keys)

    def declared(self, sections: dict[str, Any]) -> dict[str, Any]:
        document = {**copy.deepcopy(WHOLE), **sections}
        return {key: value for key, value in document.items() if value is not None}

    def run(self, check: bool = False, **sections: Any) -> dict[str, Any]:
        stack, control = parse(self.declared(sections), check)
        return engine.reconcile(stack, control, self.clients())

    def pools(self, *pools: dict[str, Any], check: bool = False, **sections: Any) -> dict[str, Any]:
        """The stack with these pools, and of the rest no more than they need."""
        return self.run(check, **{**QUIET, "pools": list(pools), **sections})

    def plan(self, **sections: Any) -> dict[str, Any]:
        return self.run(check=True, **sections)

    def end(self, **sections: Any) -> dict[str, Any]:
        nothing = dict.fromkeys(("network", "key", "buckets", "repositories", "identity", "pools"))
        return self.run(**{**nothing, "state": "absent", "confirm": "vision-dev", **sections})

    def calls(self) -> dict[str, int]:
        """Requests by action since the last time."""
        counted = self.aws.requests()["by_action"]
        self.aws.control("POST", "requests/reset")
        return counted

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def instances(self) -> list[dict[str, Any]]:
        """All that ever were, ended ones too."""
        pages = self.client("ec2").get_paginator("describe_instances").paginate()
        return [raw for page in pages for one in page["Reservations"] for raw in one["Instances"]]

    def alive(self) -> list[str]:
        return sorted(raw["InstanceId"] for raw in self.instances() if raw["State"]["Name"] in ("pending", "running"))


def writes(calls: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in calls.items() if not name.split(":")[1].startswith(READS)}


def actions(result: dict[str, Any], *wanted: str) -> list[tuple[str, str, str]]:
    """(kind, name, action) of a plan's lines; of all that is not kept, unless actions are named."""
    lines = [(line["kind"], line["name"], line["action"]) for line in result["plan"]]
    return [line for line in lines if (line[2] in wanted if wanted else line[2] != "keep")]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def lab(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLINFRA_LOCAL_ONLY", "1")
    emulator.reset()
    emulator.timing(pending=0.1, shutting_down=0.1, stopping=0.1, profile_propagation=0.0)
    return Lab(emulator)


@pytest.fixture
def kill(lab: Lab) -> Callable[..., None]:
    """``kill("ec2:RunInstances", pool, …)`` is a run with that pool that dies when AWS has answered the ``nth`` such call."""

    def run(call: str, pool: dict[str, Any], nth: int = 1, **more: Any) -> None:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".build" / "collections")}
        died = subprocess.run(
            [sys.executable, str(CHECKOUT / "tests/integration_aws/killed_script.py"), lab.aws.url, *call.split(":"), str(nth)],
            input=json.dumps(lab.declared({**QUIET, "pools": [pool], **more})),
            text=True,
            capture_output=True,
            env=environment,
        )
        assert died.returncode == 9, died.stderr

    return run


@pytest.fixture(name="writes")
def _writes() -> Any:
    return writes


@pytest.fixture(name="actions")
def _actions() -> Any:
    return actions


@pytest.fixture
def go(lab: Lab) -> Any:
    """``go(pool, …)`` runs the stack with these pools alone."""
    return lab.pools


@pytest.fixture
def subnets(lab: Lab) -> dict[str, str]:
    """Zone → subnet, of a network that is there before."""
    lab.pools()
    return {raw["AvailabilityZone"]: raw["SubnetId"] for raw in lab.client("ec2").describe_subnets()["Subnets"] if not raw["DefaultForAz"]}
