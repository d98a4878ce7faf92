# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter.overlay import FilterModule, overlay

BASE = {
    "network": {"cidr": "10.0.0.0/16", "access": {"via": "direct"}},
    "pools": [{"name": "a", "count": 1, "zones": ["x"]}, {"name": "b"}],
    "key": None,
}


@pytest.mark.parametrize(
    ("over", "changed"),
    [
        ({}, {}),
        (None, {}),
        ({"network": {"access": {"via": "bastion"}}}, {"network": {"cidr": "10.0.0.0/16", "access": {"via": "bastion"}}}),
        ({"pools": [{"name": "a", "count": 4}]}, {"pools": [{"name": "a", "count": 4, "zones": ["x"]}, {"name": "b"}]}),
        ({"pools": [{"name": "c"}]}, {"pools": [*BASE["pools"], {"name": "c"}]}),
        ({"pools": []}, {"pools": []}),
        ('{"pools": []}', {"pools": []}),
        ({"pools": [{"name": "a", "zones": ["y"]}]}, {"pools": [{"name": "a", "count": 1, "zones": ["y"]}, {"name": "b"}]}),
        ({"key": {"name": "ops"}}, {"key": {"name": "ops"}}),
        ({"network": None}, {"network": None}),
    ],
)
def test_overlay(over, changed):
    before = copy.deepcopy(BASE)
    assert FilterModule().filters()["overlay"](BASE, over) == {**BASE, **changed}
    assert before == BASE


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"pool": []}, "aws_stack_overrides.pool is not an option: known are key, network and pools. Did you mean pools?"),
        ("pools", "aws_stack_overrides is pools: a mapping of options belongs here. Write it as key: value lines."),
    ],
)
def test_a_misspelt_section_does_not_vanish(over, words):
    with pytest.raises(AnsibleFilterError) as caught:
        overlay(BASE, over, "aws_stack_overrides")
    assert words in str(caught.value)
