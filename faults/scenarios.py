# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stacks whose life is disturbed: small, and with every kind of resource. A new kind of resource belongs into WHOLE; its calls are
found by recording a run without faults.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.isolation import ACCOUNT, REGION

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rWJ1n1u0Q2n0cVqkL0l3yZcM0aXH6o5GvC3y8yZ1a someone"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA someone else"
IMAGE = {"ssm": "/aws/service/debian/release/12/latest/amd64"}
TYPES = ["g5.xlarge", "g6.xlarge"]  # so that a launch without capacity has somewhere to go
SCOPE = {"name": "vision", "environment": "dev", "account_id": ACCOUNT, "region": REGION}
SSM_CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"

WHOLE: dict[str, Any] = {
    **SCOPE,
    "tags": {"cost-center": "ml"},
    "network": {
        "cidr": "10.42.0.0/16",
        "zone_count": 1,
        "private": True,
        "nat": "one",
        "endpoints": ["s3", "ssm"],
        "access": {"via": "bastion", "bastion_pool": "bastion", "cidrs": ["192.0.2.0/24"]},
    },
    "key": {"public_key": KEY},
    "buckets": [{"name": "data", "versioning": True, "encryption": "kms", "lifecycle": [{"prefix": "tmp/", "expire_days": 7}]}],
    "repositories": [{"name": "train", "keep_last": 20}],
    "identity": {"read": ["data"], "pull": ["train"], "managed_policies": [SSM_CORE]},
    "pools": [
        {"name": "bastion", "count": 1, "instance_types": ["t3.large", "m5.large"], "image": IMAGE},
        {"name": "train", "count": 2, "instance_types": TYPES, "image": IMAGE, "termination_protection": True},
        {"name": "leased", "count": 1, "instance_types": TYPES, "image": IMAGE, "lease": {"expire": "3d", "enforce": "scheduler"}},
        {"name": "spot", "count": 2, "instance_types": TYPES, "market": ["spot", "on_demand"], "image": IMAGE},
        {"name": "gang", "count": 2, "placement": "cluster", "instance_types": TYPES, "image": IMAGE},
    ],
}
ABSENT: dict[str, Any] = {**SCOPE, "state": "absent", "confirm": "vision-dev", "force": ["train"]}


def changed() -> dict[str, Any]:
    """A pool grows, another shrinks, all tags change, settings come and go, the key is replaced, a second bucket is pruned."""
    wish = copy.deepcopy(WHOLE)
    wish.update(tags={"cost-center": "vision", "team": "cv"}, key={"public_key": OTHER_KEY}, prune=True, max_delete=3)
    wish["network"]["ingress"] = [{"from_port": 5000, "to_port": 5000}]
    wish["network"]["access"]["cidrs"] = ["198.51.100.0/24"]
    wish["network"]["endpoints"] = ["s3", "ecr", "ssm"]
    wish["buckets"][0].update(versioning=False, encryption="s3", lifecycle=[], tls_only=False)
    wish["repositories"][0].update(keep_last=None, scan_on_push=False, immutable_tags=False)
    wish["identity"] = {"write": ["data"]}
    for pool, count in (("train", 3), ("leased", 2), ("spot", 3), ("gang", 1)):
        next(one for one in wish["pools"] if one["name"] == pool)["count"] = count
    return wish


def before_the_change() -> dict[str, Any]:
    wish = copy.deepcopy(WHOLE)
    wish["buckets"].append({"name": "old"})
    return wish


def added() -> dict[str, Any]:
    """Hosts and a bucket more, in a declaration that says nothing of much that is there: what fails takes back its own and only that."""
    wish = {word: copy.deepcopy(WHOLE[word]) for word in (*SCOPE, "network", "key", "buckets", "pools")}
    wish["network"].update(nat="none", endpoints=[])
    wish["buckets"] = [{"name": "new"}]
    wish["pools"] = [one for one in wish["pools"] if one["name"] in ("train", "leased", "spot")]
    for one in wish["pools"]:
        one["count"] += 1
    wish["network"]["access"] = {"via": "direct", "cidrs": ["10.0.0.0/8"]}
    wish["pools"][0].pop("termination_protection")
    return {**wish, "on_failure": "rollback"}


@dataclass(frozen=True)
class Scenario:
    """``before`` is applied without faults, then ``wish`` with one; ``limits``: pool → how many of it may live at any time."""

    name: str
    about: str
    before: dict[str, Any] | None
    wish: dict[str, Any]
    limits: dict[str, int] = field(default_factory=dict)

    @property
    def removes(self) -> bool:
        return self.wish.get("state") == "absent"

    @property
    def adds(self) -> bool:
        """Whether a run that fails leaves what there was before it, and nothing else."""
        return self.wish.get("on_failure") == "rollback"


def _sizes(*wishes: dict[str, Any]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for wish in wishes:
        for pool in wish.get("pools", ()):
            sizes[pool["name"]] = max(sizes.get(pool["name"], 0), pool["count"])
    return sizes


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("create", "from an empty account to the whole stack", None, WHOLE, _sizes(WHOLE)),
        Scenario("change", "sizes, tags and settings of a stack that is there", before_the_change(), changed(), _sizes(WHOLE, changed())),
        Scenario("add", "a failed run takes back what it added, and no more", WHOLE, added(), _sizes(WHOLE, added())),
        Scenario("remove", "the whole stack goes", WHOLE, ABSENT, _sizes(WHOLE)),
    )
}
