# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps a declared MIG layout takes on GPUs as they are, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.mig import plan

PROFILES = {"1g.5gb": 7, "1g.5gb+me": 1, "1g.10gb": 4, "2g.10gb": 3, "3g.20gb": 2, "4g.20gb": 1, "7g.40gb": 1}
HALVES = ["3g.20gb", "3g.20gb"]


def gpu(index=0, mode="disabled", instances=(), **more):
    base = {
        "index": index, "uuid": "GPU-1", "model": "a100", "name": "NVIDIA A100", "memory_mib": 40960, "mode": mode, "pending": mode,
        "instances": sorted(instances), "whole": True, "profiles": PROFILES if mode == "enabled" else None, "processes": [],
    }  # fmt: skip
    return {**base, **more}


def commands(wish, *gpus):
    decided = plan.decide(wish, list(gpus))
    assert decided["problems"] == []
    return [" ".join(step["argv"][1:]) for step in decided["steps"]]


def problem(wish, *gpus):
    decided = plan.decide(wish, list(gpus))
    assert decided["steps"] == [] and decided["problems"]
    return "\n".join(decided["problems"])


def test_from_off_to_halves_and_back():
    assert commands([{"profiles": HALVES}], gpu()) == ["-i 0 -mig 1", "mig -cgi 3g.20gb,3g.20gb -C -i 0"]
    assert commands([{"profiles": []}], gpu(mode="enabled", instances=HALVES)) == ["mig -dci -i 0", "mig -dgi -i 0", "-i 0 -mig 0"]


def test_as_wished_in_any_order_there_is_nothing_to_do():
    mixed = ["1g.5gb", "3g.20gb", "2g.10gb"]
    assert commands([{"profiles": mixed}], gpu(mode="enabled", instances=reversed(mixed), processes=[{"pid": 1, "program": "x"}])) == []
    assert commands([{"config": "all-disabled"}], gpu(), gpu(1, None)) == []


def test_an_instance_without_its_compute_instance_is_made_anew():
    assert "mig -cgi 3g.20gb,3g.20gb -C -i 0" in commands([{"profiles": HALVES}], gpu(mode="enabled", instances=HALVES, whole=False))


def test_large_ones_come_first_and_the_last_entry_counts():
    wish = [{"gpus": "all", "profiles": HALVES}, {"gpus": [1], "profiles": ["1g.5gb", "4g.20gb", "2g.10gb"]}]
    found = commands(wish, gpu(0), gpu(1))
    assert found[1] == "mig -cgi 3g.20gb,3g.20gb -C -i 0" and found[3] == "mig -cgi 4g.20gb,2g.10gb,1g.5gb -C -i 1"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("all-enabled", ["-i 0 -mig 1"]),
        ("all-1g.5gb", ["-i 0 -mig 1", "mig -cgi " + ",".join(["1g.5gb"] * 7) + " -C -i 0"]),
        ("all-balanced", ["-i 0 -mig 1", "mig -cgi 3g.20gb,2g.10gb,1g.5gb,1g.5gb -C -i 0"]),
    ],
)
def test_words_of_mig_parted(word, expected):
    assert commands([{"config": word}], gpu()) == expected


def test_balanced_takes_the_smallest_of_each_number_of_slices():
    """1g.10gb has one slice, too."""
    assert "1g.10gb" not in commands([{"config": "all-balanced"}], gpu(mode="enabled"))[-1]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ([{"profiles": ["3g.40gb"]}], "GPU 0 (NVIDIA A100) has no profile 3g.40gb: expected some of 7g.40gb, 4g.20gb"),
        ([{"config": "all-1g.20gb"}], "has no profile 1g.20gb"),
        ([{"profiles": ["4g.20gb"] * 2}], "has room for 1 of 4g.20gb: 2 are declared"),
        (
            [{"profiles": [*HALVES, "1g.5gb"]}],
            "no room for 3g.20gb, 3g.20gb, 1g.5gb together: they take 7 slices and 9 of 8 parts of the memory",
        ),
        ([{"gpus": [4], "profiles": HALVES}], "mig_layout[0].gpus has 4: this host has 0"),
        ([{"gpus": "some", "profiles": HALVES}], "mig_layout[0].gpus is 'some': expected all, or a list"),
        ([{"gpus": "all"}], "has neither: expected profiles or config"),
        ([{"profiles": [], "config": "all-disabled"}], "has both"),
        ([{"config": "halves"}], "mig_layout[0].config is 'halves'"),
        ([{"profiles": ["half"]}], "mig_layout[0].profiles has 'half'"),
    ],
)
def test_what_is_refused(wish, told):
    assert told in problem(wish, gpu())


def test_processes_are_named_for_the_gpus_that_would_change():
    using = [{"pid": 7, "program": "python3"}, {"pid": 8, "program": None}]
    told = problem([{"profiles": HALVES}], gpu(processes=using), gpu(1))
    assert "GPU 0 (NVIDIA A100) is in use by pid 7 (python3), pid 8: its layout is not changed under them" in told and "GPU 1" not in told
    assert "Run as root" in problem([{"profiles": HALVES}], gpu(processes=None))


def test_a_gpu_without_mig():
    assert "cannot be partitioned" in problem([{"profiles": HALVES}], gpu(mode=None, model="a10g", name="NVIDIA A10G"))
    assert commands([{"gpus": [1], "profiles": HALVES}], gpu(0, None), gpu(1))[0] == "-i 1 -mig 1"


def test_a_gpu_that_no_table_knows_is_left_to_nvidia_smi():
    assert commands([{"profiles": ["2g.24gb"]}], gpu(model="gb200", memory_mib=191000))[1] == "mig -cgi 2g.24gb -C -i 0"


@pytest.mark.parametrize(
    ("model", "memory", "halves"),
    [("h100", 81559, "3g.40gb"), ("h200", 143771, "3g.71gb"), ("b200", 183359, "3g.90gb"), ("b300", 275040, "3g.135gb")],
)
def test_names_by_memory_before_mig_is_on(model, memory, halves):
    assert commands([{"profiles": [halves] * 2}], gpu(model=model, memory_mib=memory))[1] == f"mig -cgi {halves},{halves} -C -i 0"


def test_an_a30_is_cut_in_quarters():
    small = gpu(model="a30", memory_mib=24576)
    assert commands([{"config": "all-1g.6gb"}], small)[1] == "mig -cgi " + ",".join(["1g.6gb"] * 4) + " -C -i 0"
    assert "no room" in problem([{"profiles": ["4g.24gb", "1g.6gb"]}], small)


def test_devices_of_cdi():
    assert plan.devices({0: None, 1: HALVES}, [gpu(0), gpu(1), gpu(2, "enabled", ["7g.40gb"])]) == ["0", "1:0", "1:1", "2:0"]


@given(st.lists(st.sampled_from(sorted(PROFILES)), max_size=9), st.lists(st.sampled_from(sorted(PROFILES)), max_size=4), st.booleans())
def test_either_refused_or_done_once(wished, there, on):
    """What the steps make is as wished; no more slices or memory are ever asked for than there are."""
    before = gpu(mode="enabled" if on else "disabled", instances=there if on else [])
    decided = plan.decide([{"profiles": wished}], [before])
    assert bool(decided["problems"]) + bool(decided["steps"]) <= 1
    if decided["steps"]:
        assert sum(plan.parsed(name)[0] for name in wished) <= 7
        after = gpu(mode="enabled" if wished else "disabled", instances=wished)
        assert plan.decide([{"profiles": wished}], [after])["steps"] == []
