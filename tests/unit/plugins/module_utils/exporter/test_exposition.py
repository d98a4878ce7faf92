# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Prometheus text format."""

from __future__ import annotations

import math

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import exposition

PAGE = """# HELP node_scrape_collector_success node_exporter: Whether a collector succeeded.
# TYPE node_scrape_collector_success gauge
node_scrape_collector_success{collector="cpu"} 1
node_scrape_collector_success{collector="nfs"} 0
node_load1 0.25
odd{path="C:\\\\x",text="a \\"b\\"\\nc {d}"} NaN 1700000000000
"""


def test_named_metrics_only_with_labels_and_values():
    assert exposition.samples(PAGE, {"node_scrape_collector_success"}) == [
        {"name": "node_scrape_collector_success", "labels": {"collector": "cpu"}, "value": 1.0},
        {"name": "node_scrape_collector_success", "labels": {"collector": "nfs"}, "value": 0.0},
    ]
    assert exposition.samples(PAGE, {"node_load1"}) == [{"name": "node_load1", "labels": {}, "value": 0.25}]


def test_escapes_timestamps_and_nan():
    (sample,) = exposition.samples(PAGE, {"odd"})
    assert sample["labels"] == {"path": "C:\\x", "text": 'a "b"\nc {d}'}
    assert math.isnan(sample["value"])


@pytest.mark.parametrize("page", ["<html><body>hello</body></html>", "node_load1", "node_load1 many"])
def test_what_is_no_metrics_page_is_named_with_its_line(page):
    with pytest.raises(exposition.ExpositionError, match="line 1"):
        exposition.samples(page, {"node_load1"})
