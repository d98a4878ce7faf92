# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter.environment_differences import FilterModule

differences = FilterModule().filters()["environment_differences"]


def test_hosts_that_read_nothing_are_left_out():
    assert differences({"skipped": {"changed": False}, "none": {}}) == {"failures": [], "notes": []}


@pytest.mark.parametrize("value", [None, [], {"host": "text"}])
def test_anything_else_is_refused(value):
    with pytest.raises(AnsibleFilterError, match="wants a mapping of hosts"):
        differences(value)
