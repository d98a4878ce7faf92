# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import ARGUMENTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.fields import coerce
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import Problems

SPEC = {
    "text": {"type": "str"},
    "number": {"type": "int", "default": 7},
    "flag": {"type": "bool"},
    "words": {"type": "list", "elements": "str"},
    "things": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "size": {"type": "int", "default": 1}},
    },
}


def read(**params):
    problems = Problems()
    return coerce(params, SPEC, problems), [problem.sentence for problem in problems.found]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"number": "12"}, {"number": 12}),
        ({"number": None}, {"number": 7}),
        ({"number": "", "text": "", "words": ""}, {"number": 7, "text": None, "words": None}),
        ({"flag": "no"}, {"flag": False}),
        ({"text": 12}, {"text": "12"}),
        ({"words": "a, b"}, {"words": ["a", "b"]}),
        ({"words": '["a", "b"]'}, {"words": ["a", "b"]}),
        ({"words": 3}, {"words": ["3"]}),
        ({"words": []}, {"words": []}),
        ({"things": '[{"name": "a"}]'}, {"things": [{"name": "a", "size": 1}]}),
    ],
)
def test_values_are_read_as_the_spec_wants(given, wanted):
    clean, problems = read(**given)
    assert not problems
    assert {key: clean[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"number": 1.5}, "number is 1.5: a whole number belongs here. Write it in digits."),
        ({"text": ["a"]}, 'text is ["a"]: a string belongs here. Quote it if it is meant as text.'),
        ({"words": {"a": 1}}, 'words is {"a": 1}: a list belongs here. Begin each element with a dash.'),
        ({"words": ["a", None]}, "words[1] is null: a string belongs here. Quote it if it is meant as text."),
        ({"things": [{"name": "a"}, {}]}, "things[1].name is missing: it has to be given. Add name to things[1]."),
        ({"things": [{"name": "a", "siez": 2}]}, "things[0].siez is not an option: known are name and size. Did you mean size?"),
    ],
)
def test_mistakes_have_a_path(given, problem):
    assert read(**given)[1] == [problem]


def test_reading_what_was_read_changes_nothing(declaration):
    del declaration["region"]
    once = coerce(declaration, ARGUMENTS, Problems())
    assert coerce(once, ARGUMENTS, Problems()) == once
