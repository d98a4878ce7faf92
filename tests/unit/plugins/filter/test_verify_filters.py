# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter over module_utils/verify/summary.py."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter import verify_summary, verify_table

SUMMARY = verify_summary.FilterModule().filters()["verify_summary"]
TABLE = verify_table.FilterModule().filters()["verify_table"]
SEEN = {"gpu1": {"there": ["node_exporter"], "problems": {}}}


def test_sums_up():
    assert SUMMARY(SEEN, "no MLflow")["proven"]
    assert len(TABLE(SUMMARY(SEEN, "no MLflow"))) == 4


@pytest.mark.parametrize(("filter_", "value"), [(SUMMARY, ["gpu1"]), (TABLE, {"hosts": {}}), (TABLE, "text")])
def test_what_is_neither_is_refused(filter_, value):
    with pytest.raises(AnsibleFilterError, match="wants what"):
        filter_(value)
