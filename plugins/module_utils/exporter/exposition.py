# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Samples out of the Prometheus text format: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

import re

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class ExpositionError(Exception):
    """The text is not in the format; the message names the line."""


def unescape(value):
    """A label's value as it was meant."""
    return re.sub(r'\\\\|\\"|\\n', lambda match: ESCAPES[match.group(0)], value)


def number(text):
    """1, 1e9, NaN, +Inf -> float. Raises ValueError."""
    return float(text)


def samples(text, names):
    """[{name, labels, value}] of the metrics in `names`, in the order of the text. Raises ExpositionError on a line that is none."""
    found = []
    for index, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = SAMPLE.match(line.strip())
        if not match:
            raise ExpositionError("line %d is no metric: %s" % (index, line[:80]))
        if match.group(1) not in names:
            continue
        try:
            value = number(match.group(3))
        except ValueError:
            raise ExpositionError("line %d: %s is no number" % (index, match.group(3)[:40])) from None
        labels = {key: unescape(raw) for key, raw in LABEL.findall(match.group(2) or "")}
        found.append({"name": match.group(1), "labels": labels, "value": value})
    return found
