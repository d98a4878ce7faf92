# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter listed takes an option as the check of a role's arguments does."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mlinfra.hosts.plugins.filter.listed import listed


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("alice", ["alice"]),
        ("12.8", ["12.8"]),
        (12.8, ["12.8"]),
        ("alice, bob", ["alice", "bob"]),
        ("", []),
        (" , ", []),
        (None, []),
        ([], []),
        (["alice", "bob"], ["alice", "bob"]),
        ([12.8], ["12.8"]),
    ],
)
def test_texts(given, taken):
    assert listed(given) == taken
    if taken and given != "alice, bob":  # a blank after the comma is no part of a name here
        assert taken == ArgumentSpecValidator({"x": {"type": "list", "elements": "str"}}).validate({"x": given}).validated_parameters["x"]


@pytest.mark.parametrize(
    ("given", "taken"), [([{"name": "a"}], [{"name": "a"}]), ("name=a", [{"name": "a"}]), ('{"name": "a"}', [{"name": "a"}]), (None, [])]
)
def test_mappings(given, taken):
    assert listed(given, "dict") == taken


@pytest.mark.parametrize(("given", "elements"), [({"a": 1}, "str"), ({"name": "a"}, "dict"), ("alice", "dict"), (["alice"], "dict")])
def test_what_is_no_list(given, elements):
    with pytest.raises(AnsibleFilterError, match="expected a list"):
        listed(given, elements)
    assert ArgumentSpecValidator({"x": {"type": "list", "elements": elements}}).validate({"x": given}).error_messages
