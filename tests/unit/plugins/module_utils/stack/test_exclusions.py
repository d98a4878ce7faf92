# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.exclusions import idle
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Intent, Observed

ZONES = ("us-east-1a", "us-east-1b")


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({}, []),
        ({"pools[0].exclude_types": ["g5.12xlarge"]}, []),
        ({"pools[0].exclude_types": ["p5.48xlarge"]}, []),  # known, and may be for another pool of the same list
        ({"pools[0].exclude_types": ["g5.12xlrge"]}, ["pools.train.exclude_types has g5.12xlrge", "Did you mean g5.12xlarge?"]),
        ({"pools[1].exclude_types": ["m7.huge"]}, ["pools.cpu.exclude_types has m7.huge", "The pool may get t3.large."]),
        ({"pools[0].exclude_zones": ["us-east-1b"]}, []),
        ({"pools[0].exclude_zones": ["us-east-1z"]}, ["pools.train.exclude_zones has us-east-1z", "excludes nothing"]),
        ({"pools[0].exclude_zones": ["us-east-1z"], "state": "absent", "confirm": "vision-demo"}, []),
    ],
)
def test_what_excludes_nothing_is_told(wrong, places, words):
    seen = Observed("123456789012", "aws", "us-east-1", zones=ZONES)
    given = idle(Intent(*parse(wrong(places))), seen)
    assert len(given) == bool(words) and all(word in given[0] for word in words)


def test_zones_are_those_of_the_subnets_when_the_regions_are_not_read(wrong):
    intent = Intent(*parse(wrong({"pools[0].exclude_zones": ["us-east-1b"]})))
    seen = Observed("123456789012", "aws", "us-east-1")
    assert idle(intent, seen) == []
    seen.found["subnet"] = [Found("subnet", "public-us-east-1a", "subnet-1", {"zone": "us-east-1a"}, owned=True)]
    assert len(idle(intent, seen)) == 1
