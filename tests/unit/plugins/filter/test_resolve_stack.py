# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter over the same function."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter import resolve_stack as module
from tests.unit.plugins.module_utils.resolve.shapes import PLATFORMS, TODAY, gpu, nvidia

DEBIAN = PLATFORMS["Debian-12"]


def test_resolves():
    found = module.resolve_stack(gpu("h100"), DEBIAN, nvidia(), TODAY, {"cuda": "12.8"})
    assert set(found) == {"pins", "packages", "rejected", "warnings"} and found["pins"]["driver"]["branch"] == 595
    again = module.resolve_stack(gpu("h100"), DEBIAN, offered=nvidia(), today=TODAY, pins=found["pins"])
    assert again["pins"] == found["pins"]


def test_refuses_with_all_conflicts():
    with pytest.raises(AnsibleFilterError, match=r"(?s)flavor is proprietary: use flavor open or auto\..*cuda is 12\.4: B200"):
        module.resolve_stack(gpu("b200"), DEBIAN, nvidia(), TODAY, {"flavor": "proprietary", "cuda": "12.4"})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("h100", DEBIAN, {}, TODAY), "gpu is 'h100': expected a dict"),
        (({}, None, {}, TODAY), "platform is None: expected a dict"),
        (({}, DEBIAN, "all", TODAY), "offered is 'all': expected"),
        (({}, DEBIAN, {}, "today"), "today is 'today': expected a day"),
        (({}, DEBIAN, {}, TODAY, "cuda"), "wish is 'cuda': expected a dict"),
        (({}, DEBIAN, {}, TODAY, {"cuda": "12.8"}, {"schema": 1}), "resolve_stack has wish and pins"),
    ],
)
def test_input_that_is_none(arguments, told):
    with pytest.raises(AnsibleFilterError, match=told):
        module.resolve_stack(*arguments)


def test_documented_options_are_those_of_the_function():
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert set(documented) == {"_input", "platform", "offered", "today", "wish", "pins"}
    assert module.FilterModule().filters() == {"resolve_stack": module.resolve_stack}
