# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan's findings are made of, and what is done about them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Line
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import preflight
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Disk, Image, Network, Pool, Scope, Stack

KEY, ABROAD = "alias/mine", "arn:aws:kms:eu-west-1:123456789012:key/1"


def line(verdict, path="pools.train", text="it is so", **more):
    return Line("vcpu_quota", "train", path, verdict, text, **more)


def pool(name="train", **more):
    return Pool(name, 2, ("g5.xlarge", "p5.48xlarge"), Image(id="ami-1"), **more)


def test_disks_and_further_volumes_are_looked_at():
    volumes = (Disk(200), Disk(300, "io2", kms_key=ABROAD), SimpleNamespace(gib=None, type="gp3", kms_key=KEY))
    many = SimpleNamespace(name="train", disk=Disk(100, kms_key=KEY), volumes=volumes)
    paths = ["pools.train.disk.kms_key", "pools.train.volumes[1].kms_key", "pools.train.volumes[2].kms_key"]
    assert preflight.keys_of(many) == list(zip(paths, [KEY, ABROAD, KEY]))
    assert preflight.gp3_of(many) == 300, "a volume from a snapshot has a size that nobody has declared"
    assert preflight.keys_of(pool()) == [] and preflight.gp3_of(pool()) == 100


def test_what_is_asked_for_all_pools_at_once():
    pools = [
        pool(disk=Disk(kms_key=KEY), market=("spot",)),
        pool("other", disk=Disk(kms_key=ABROAD), exclude_types=("p5.48xlarge",)),
        pool("third", disk=Disk(kms_key=KEY)),
    ]
    stack = Stack(
        Scope("123456789012", "us-east-1", "vision", "dev"), network=Network(cidr="10.0.0.0/16", zone_count=1), pools=tuple(pools)
    )
    asked = preflight.asked(pools, Intent(stack, Control()), Observed("123456789012", "aws", "us-east-1"))
    assert asked.pools == {"train", "other", "third"} and asked.types == ("g5.xlarge", "p5.48xlarge")
    assert asked.markets == ("on_demand", "spot") and asked.keys == (KEY,) and asked.gp3 and asked.vpc is None
    only = preflight.asked(pools[1:2], Intent(stack, Control()), Observed("123456789012", "aws", "us-east-1"))
    assert only.types == ("g5.xlarge",) and only.keys == (), "a key of another region needs no asking"


def test_all_that_cannot_be_had_is_told_at_once():
    told = [line("ok"), line("refused", text="no quota.", code="L-1"), line("refused", "pools.train.disk.kms_key", "no key")]
    with pytest.raises(StackError) as caught:
        preflight.refuse(told)
    message = "what is declared cannot be had:\n- pools.train: no quota\n- pools.train.disk.kms_key: no key. Nothing was made."
    assert caught.value.message == message
    details = caught.value.result()
    assert (details["path"], details["code"], len(details["preflight"])) == ("pools.train", "L-1", 3)


def test_one_that_cannot_be_had_is_one_sentence():
    with pytest.raises(StackError, match=r"^pools\.train: no quota\. Nothing was made\.$"):
        preflight.refuse([line("refused", text="no quota")])
    preflight.refuse([line("ok"), line("warning"), line("unknown")])


def test_warnings():
    told = [line("ok"), line("unknown"), line("warning", text="little is left"), line("warning", "network.nat", "advice says it")]
    assert preflight.warnings(told) == ["pools.train: little is left."]
