# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether two hosts predicted the same: a pure function."""

from __future__ import annotations

import math

ABSOLUTE = 1e-12  # what is this near to nothing is nothing
MOST = 3  # differences that are told


def differences(trained, predicted, tolerance):
    """[sentence] for where two {classes: [int], probabilities: [[float]]} differ; empty when they are the same.

    Classes must be equal, probabilities to `tolerance`, relative to the larger one.
    """
    found = []
    ours, theirs = trained["classes"], predicted["classes"]
    if len(ours) != len(theirs):
        return ["%d rows instead of %d" % (len(theirs), len(ours))]
    for row, (one, other) in enumerate(zip(ours, theirs)):
        if one != other:
            found.append("row %d is %s instead of %s" % (row, other, one))
    for row, (one, other) in enumerate(zip(trained["probabilities"], predicted["probabilities"])):
        if len(one) != len(other):
            found.append("row %d has %d probabilities instead of %d" % (row, len(other), len(one)))
            continue
        apart = [pair for pair in zip(one, other) if not math.isclose(*pair, rel_tol=tolerance, abs_tol=ABSOLUTE)]
        if apart:
            found.append("a probability in row %d is %r instead of %r" % (row, apart[0][1], apart[0][0]))
    if len(trained["probabilities"]) != len(predicted["probabilities"]):
        found.append("probabilities of %d rows instead of %d" % (len(predicted["probabilities"]), len(trained["probabilities"])))
    return found if len(found) <= MOST else found[:MOST] + ["and %d more" % (len(found) - MOST)]
