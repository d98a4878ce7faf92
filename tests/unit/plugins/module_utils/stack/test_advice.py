# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.advice import advice
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse

VPN = {"cidrs": ["10.8.0.0/16"]}


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({}, []),
        ({"network.access.cidrs": ["0.0.0.0/0"]}, ["network.access.cidrs has 0.0.0.0/0"]),
        ({"network.ingress": [{"from_port": 20, "to_port": 30, "cidrs": ["0.0.0.0/0"]}]}, ["network.ingress[0].cidrs has 0.0.0.0/0"]),
        ({"network.ingress": [{"from_port": 443, "cidrs": ["0.0.0.0/0"]}]}, []),
        ({"network.private": True, "network.access": VPN}, ["hosts reach nothing outside"]),
        ({"network.private": True, "network.access": VPN, "network.endpoints": ["s3", "ecr"]}, ["hosts reach only s3, ecr"]),
        ({"network.private": True, "network.access": VPN, "network.nat": "one"}, []),
        ({"network.access.cidrs": ["0.0.0.0/0"], "state": "absent", "confirm": "vision-demo"}, []),
    ],
)
def test_advice(wrong, places, words):
    given = advice(*parse(wrong(places)))
    assert len(given) == len(words)
    assert all(word in sentence for word, sentence in zip(words, given))
