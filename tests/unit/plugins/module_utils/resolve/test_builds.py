# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of a framework fits pins, and what a lock tells of its CUDA."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import builds, frameworks, tables

# As uv writes them, of torch 2.9.1 and 2.11.0, jax[cuda12] 0.7.2.
CUDA_12 = "nvidia-cuda-runtime-cu12==12.8.90 ; platform_machine == 'x86_64' \\\n    --hash=sha256:0\ntorch==2.9.1 \\\n"
CUDA_13 = "cuda-toolkit==13.0.2\nnvidia-cuda-runtime==13.0.96 \\\n    --hash=sha256:0\n"


def pins(driver="580.95.05", mode="compatible", framework=None, models=("h100",), architectures=("hopper",), release="12.8"):
    gpu = {"models": list(models), "architectures": list(architectures)}
    wish = {"mode": mode, "framework": framework}
    return {"schema": 1, "driver": {"version": driver}, "wish": wish, "gpu": gpu, "cuda": {"release": release} if release else None}


@pytest.mark.parametrize(
    ("framework", "given", "requirement"),
    [
        ("torch==2.9.1", pins(), "torch==2.9.1"),
        ("torch==2.9.1", {}, "torch==2.9.1"),
        ("tensorflow==2.19.0", pins(), "tensorflow[and-cuda]==2.19.0"),
        ("tensorflow==2.19.0", {}, "tensorflow==2.19.0"),
        ("jax==0.7.2", pins(), "jax[cuda13]==0.7.2"),
        ("jax==0.7.2", pins(driver="570.172.08"), "jax[cuda12]==0.7.2"),
        ("jax==0.7.2", pins(models=["v100"], architectures=["volta"]), "jax[cuda12]==0.7.2"),
        ("jax==0.6.0", pins(), "jax[cuda12]==0.6.0"),
        ("jax==0.99.0", pins(release="13.0"), "jax[cuda13]==0.99.0"),
        ("jax==0.7.2", {}, "jax==0.7.2"),
    ],
)
def test_what_the_index_is_asked_for(framework, given, requirement):
    assert builds.choose(framework, given) | {"cuda": None} == {"requirement": requirement, "cuda": None, "problems": []}


@pytest.mark.parametrize(
    ("framework", "given", "told"),
    [
        ("torch", {}, "python_env_framework is 'torch': expected jax, tensorflow, torch with a release"),
        ("mxnet==1.9", {}, "expected jax, tensorflow, torch"),
        ("torch==2.11.0", pins(driver="470.256.02"), "none of its builds fits the pins (CUDA 13: driver 470.256.02 cannot run it"),
        ("torch==2.11.0", pins(framework="torch==2.9"), "the pins were resolved for torch==2.9. Resolve again"),
        ("torch==2.8.0", pins(models=["b200"], architectures=["blackwell"], driver="550.90.07", mode="strict"), "none of its builds fits"),
        ("jax==0.99.0", pins(release=None), "the tables do not know its builds, and the pins have no CUDA"),
    ],
)
def test_what_is_refused(framework, given, told):
    found = builds.choose(framework, given)
    assert found["requirement"] is None and told.replace("CUDA 13:", "CUDA 13.0:") in found["problems"][0]


def test_a_later_patch_of_what_was_resolved_is_no_other_release():
    assert builds.choose("torch==2.9.1", pins(framework="torch==2.9"))["problems"] == []
    assert builds.choose("torch==2.91.0", pins(framework="torch==2.9"))["problems"]


def test_a_lock_tells_its_cuda():
    assert (
        builds.cuda_of(CUDA_12) == (12, 8, None) and builds.cuda_of(CUDA_13) == (13, 0, None) and builds.cuda_of("numpy==2.4.6\n") is None
    )


def test_a_lock_whose_cuda_does_not_run_is_refused():
    assert builds.judge("torch==2.9.1", CUDA_12, pins(driver="570.172.08")) == []
    told = builds.judge("torch==2.11.0", CUDA_13, pins(driver="570.172.08"))
    assert "the index has its build for CUDA 13, and driver 570.172.08 cannot run it" in told[0].replace("13.0,", "13,")
    assert "leave out the volta GPUs" in builds.judge("torch==2.9.1", CUDA_12, pins(models=[], architectures=["volta"]))[0]


RELEASES = sorted((name, version) for name, table in frameworks.BUILDS.items() for version in table)


@given(st.sampled_from(RELEASES), st.sampled_from(["450.80.02", "470.256.02", "525.60.13", "570.26", "580.95.05", "610.43.02"]))
def test_never_a_build_that_the_tables_forbid_the_driver(release, driver):
    name, version = release
    found = builds.choose("%s==%s.0" % (name, version) if version.count(".") == 1 else "%s==%s" % (name, version), pins(driver=driver))
    runs = [one for one in frameworks.BUILDS[name][version] if int(driver.split(".")[0]) >= tables.CUDA_BRANCHES[int(one.split(".")[0])]]
    assert bool(found["problems"]) == (not runs)
    if found["cuda"]:
        assert int(driver.split(".")[0]) >= tables.CUDA_BRANCHES[found["cuda"][0]]
