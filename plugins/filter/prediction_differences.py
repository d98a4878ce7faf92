# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: prediction_differences
short_description: Where two hosts predict something else with the same model
version_added: 0.2.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Compares what two runs of a classifier predict for the same rows. Classes must be equal, probabilities within a tolerance.
positional: _input, predicted, tolerance
options:
  _input:
    description: What is expected, with C(classes), a list of integers, and C(probabilities), a list of lists of numbers.
    type: dict
    required: true
  predicted:
    description: What is compared with it, of the same form.
    type: dict
    required: true
  tolerance:
    description: By how much a probability may differ, relative to the larger one.
    type: float
    default: 1.0e-09
"""

EXAMPLES = r"""
- name: Want the same predictions
  ansible.builtin.assert:
    that: trained | mlinfra.hosts.prediction_differences(predicted) == []
  vars:
    trained: {classes: [3, 7], probabilities: [[0.1, 0.9], [0.8, 0.2]]}
    predicted: {classes: [3, 7], probabilities: [[0.1, 0.9], [0.8, 0.2]]}
"""

RETURN = r"""
_value:
  description: Sentences on the first few differences. Empty when there is none.
  type: list
  elements: str
  sample: ["row 3 is 7 instead of 1"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.module_utils.job.compare import differences


def prediction_differences(trained: Any, predicted: Any, tolerance: float = 1e-9) -> list[str]:
    for name, value in (("what is expected", trained), ("what is compared with it", predicted)):
        if not isinstance(value, Mapping) or not {"classes", "probabilities"} <= set(value):
            raise AnsibleFilterError(
                f"prediction_differences: {name} has no classes and probabilities: expected what a prediction returned."
            )
    return differences(trained, predicted, tolerance)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"prediction_differences": prediction_differences}
