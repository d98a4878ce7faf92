# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image's GPUs have in common, which of them no one driver serves, and what facts they stand in for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import architectures
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import target
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.match import models
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.host import MODEL_ARCHITECTURES

BARE = {"present": False, "count": 0, "models": [], "architectures": [], "nvswitch_count": 0, "devices": []}


def understood(*words, machine="x86_64"):
    found, problems = target.understand(words, machine)
    assert not problems
    return found


def refused(*words, machine="x86_64"):
    found, problems = target.understand(words, machine)
    assert found is None and problems
    return "\n".join(problems)


def test_nothing_is_wished():
    assert target.understand([], "x86_64") == target.understand(["", " "], "x86_64") == (None, [])


def test_one_image_for_several_models():
    found = understood("t4", "L4", " h100")
    assert found["models"] == ["h100", "l4", "t4"] and found["architectures"] == ["ada", "hopper", "turing"]
    assert found["flavors"] == ["open", "proprietary"] and (found["first_branch"], found["last_branch"]) == (525, None)


def test_old_and_new_ones_narrow_it():
    assert (understood("v100", "t4")["flavors"], understood("v100")["last_branch"]) == (["proprietary"], 580)
    assert (understood("b200", "h100")["flavors"], understood("b300")["first_branch"]) == (["open"], 575)


def test_nvswitches_by_model_and_by_type():
    assert understood("h100")["nvswitch"] and understood("p5.48xlarge")["nvswitch"] and understood("a10g", "p4d.24xlarge")["nvswitch"]
    assert not understood("p5.4xlarge")["nvswitch"] and not understood("a10g")["nvswitch"]
    assert not understood("b200")["nvswitch"], "its switches are no devices on the bus"


def test_efa_by_model_and_by_type():
    assert understood("h100")["efa"] and understood("t4")["efa"] and understood("g5.xlarge", "g5.8xlarge")["efa"]
    assert not understood("g5.xlarge")["efa"] and not understood("p100")["efa"], "neither that type nor such a GPU comes with EFA"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("v100", "b200"), ["mlinfra_gpu_target is [v100, b200]", "V100 (Volta)", "B200 (Blackwell)", "Build an image for each"]),
        (("k80", "b300"), ["470 is the last driver branch that knows K80", "575 the first that knows B300"]),
        (("h1000",), ["mlinfra_gpu_target has h1000: expected", "h100, ", "p5.48xlarge"]),
        (("g6f.large",), ["g6f.large", "GRID"]),
        (("t4g", "t4"), ["t4g is in Arm machines, and t4 in others"]),
        (("t4g",), ["t4g is in machines of architecture aarch64, and this builder is x86_64"]),
    ],
)
def test_refusals_name_the_conflict_and_the_next_step(words, parts):
    told = refused(*words)
    assert all(part in told for part in parts), told


def test_on_an_arm_builder():
    assert understood("t4g", "gh200", machine="aarch64")["models"] == ["gh200", "t4g"]
    assert "x86_64" in refused("h100", machine="aarch64")
    assert understood("h100", machine="riscv64"), "what is not known is not refused"


def test_every_model_that_a_pool_can_wish_is_known():
    assert set(models()) <= set(MODEL_ARCHITECTURES)
    for name, kind in GPU_TYPES.items():
        found, problems = target.understand([name], "aarch64" if kind.model in target.ARM_MODELS else "x86_64")
        assert bool(problems) == kind.fractional and (found is None) == kind.fractional, name


@given(st.lists(st.sampled_from(sorted(MODEL_ARCHITECTURES)), min_size=1, max_size=6), st.sampled_from(["x86_64", "aarch64"]))
def test_what_is_said_to_serve_all_of_them_does(words, machine):
    found, problems = target.understand(words, machine)
    assert (found is None) == bool(problems)
    assert target.understand(list(reversed(words)), machine)[0] == found, "order does not matter"
    for flavor in found["flavors"] if found else []:
        for branch in (found["first_branch"], found["last_branch"]):
            assert architectures.problems(found["architectures"], flavor, branch) == []


def test_it_stands_in_for_gpus_only_where_there_are_none():
    wished = understood("h100")
    facts = target.applied(BARE, wished)
    assert facts["present"] and facts["models"] == ["h100"] and facts["architectures"] == ["hopper"] and facts["nvswitch_count"] == 1
    assert facts["count"] == 0 and facts["devices"] == [] and facts["target"]["in_use"], "what is here is still told"
    real = dict(BARE, present=True, count=1, models=["a10g"], architectures=["ampere"])
    assert target.applied(real, wished) == dict(real, target=dict(wished, in_use=False))
    assert target.applied(BARE, None) == dict(BARE, target=None)
