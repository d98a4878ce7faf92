# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter over module_utils/job/compare.py."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter.prediction_differences import FilterModule

differences = FilterModule().filters()["prediction_differences"]
ONE = {"classes": [1], "probabilities": [[0.5]]}


def test_compares():
    assert differences(ONE, ONE) == []
    assert differences(ONE, {**ONE, "classes": [2]}) == ["row 0 is 2 instead of 1"]


@pytest.mark.parametrize("pair", [({}, ONE), (ONE, None)])
def test_what_is_no_prediction_is_refused(pair):
    with pytest.raises(AnsibleFilterError, match="has no classes and probabilities"):
        differences(*pair)
