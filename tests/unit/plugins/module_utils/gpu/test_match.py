# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import match
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES, NOMINAL_MEMORY_GIB


@pytest.mark.parametrize(
    ("models", "count", "memory", "types"),
    [
        (["a10g"], 4, None, ("g5.12xlarge", "g5.24xlarge")),
        (["a10g"], 4, 24, ("g5.12xlarge", "g5.24xlarge")),
        (["h100", "a100"], 8, 80, ("p4de.24xlarge", "p5.48xlarge")),
        (["a100"], 8, 40, ("p4d.24xlarge",)),
        (["h200"], 8, 141, ("p5en.48xlarge", "p5e.48xlarge")),  # no price is known for the second
        (["b200"], 8, 180, ("p6-b200.48xlarge",)),
        (["b200"], 8, 192, ("p6-b200.48xlarge",)),
        (["t4g"], 2, None, ("g5g.16xlarge", "g5g.metal")),
        (["h100"], 3, None, ()),
        (["a10g"], 1, 80, ()),
    ],
)
def test_types_cheapest_first(models, count, memory, types):
    assert match.instance_types(models, count, memory) == types


def test_no_model_means_any_of_x86():
    types = match.instance_types([], 1)
    assert types[0] == "g4dn.xlarge"
    assert not any(GPU_TYPES[name].model == "t4g" for name in types)


def test_slices_of_a_gpu_are_never_meant():
    found = {name for count in range(9) for name in match.instance_types(match.models(), count)}
    assert found == {name for name, gpu in GPU_TYPES.items() if not gpu.fractional}


def test_every_whole_gpu_has_a_nominal_size():
    assert {gpu.memory_mib for gpu in GPU_TYPES.values() if not gpu.fractional} <= set(NOMINAL_MEMORY_GIB)


def test_what_is_offered():
    assert match.offered(["h100"]) == {"h100": {1: [80], 8: [80]}}
    assert match.offered(["a100"]) == {"a100": {8: [40, 80]}}
