# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declaration that is right, for tests to make wrong in one place."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

IMAGE = {"ssm": "/aws/service/debian/release/12/latest/amd64"}
# A real Ed25519 public key of nobody: 32 bytes of zero.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA nobody"
DECLARATION = {
    "name": "vision",
    "environment": "demo",
    "account_id": "123456789012",
    "region": "us-east-1",
    "tags": {"cost-center": "ml"},
    "network": {"cidr": "10.42.0.0/16", "zone_count": 2, "access": {"cidrs": ["203.0.113.7/32"]}},
    "key": {"public_key": PUBLIC_KEY},
    "buckets": [{"name": "data", "lifecycle": [{"prefix": "tmp/", "expire_days": 7}]}, {"name": "artifacts"}],
    "repositories": [{"name": "train"}],
    "identity": {"read": ["data"], "write": ["artifacts"], "pull": ["train"]},
    "pools": [
        {"name": "train", "count": 2, "gpu": {"models": ["a10g"], "count": 4}, "image": IMAGE},
        {"name": "cpu", "instance_types": ["t3.large"], "image": IMAGE},
    ],
}


@pytest.fixture
def declaration() -> dict[str, Any]:
    return copy.deepcopy(DECLARATION)


@pytest.fixture
def wrong(declaration: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """``wrong({"pools[0].count": -1})`` is the declaration with those places set, made where they are not there; None removes."""

    def change(places: dict[str, Any]) -> dict[str, Any]:
        for path, value in places.items():
            steps = [int(number) if number else word for word, number in re.findall(r"([a-zA-Z_:]+)|\[(\d+)\]", path)]
            here: Any = declaration
            for step, following in zip(steps, steps[1:]):
                if isinstance(here, dict) and here.get(step) is None:
                    here[step] = [{}] if isinstance(following, int) else {}
                here = here[step]
            if isinstance(here, list) and steps[-1] == len(here):
                here.append(value)
            else:
                here[steps[-1]] = value
        return declaration

    return change
