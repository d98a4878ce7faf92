# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for where the default index's build is not what the pins want."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import builds, cuda, frameworks, second_build, torch_builds
from tests.unit.plugins.module_utils.resolve import shapes
from tests.unit.plugins.module_utils.resolve.test_builds import pins
from tests.unit.plugins.module_utils.resolve.test_resolve import resolve

# What the newest libraries are that jax and tensorflow 2.20 take; those of earlier releases of tensorflow are of its own CUDA.
NEWEST = {12: "12.9", 13: "13.5"}
RUNTIMES = {
    12: "nvidia-cuda-runtime-cu12==%s.79 \\\nnvidia-cublas-cu12==12.9.3.13\n",
    13: "nvidia-cuda-runtime==%s.37 \\\nnvidia-nvvm==13.5\n",
}


def lock_of(release):
    """Lines of a lock that brings a CUDA."""
    return RUNTIMES[cuda.parse(release)[0]] % release


def wished(framework, release, driver, **more):
    return pins(framework=framework, release=release, driver=driver, **more)


@pytest.mark.parametrize(
    ("framework", "given", "brings", "label"),
    [
        ("torch==2.11.0", wished("torch==2.11", "12.8", "570.172.08"), "13.0", "cu128"),
        ("torch==2.11.0", wished(None, None, "570.172.08"), "13.0", "cu128"),
        ("torch==2.11.0", wished("torch==2.11", "13.0", "580.95.05"), "13.0", None),
        ("torch==2.11.0", wished("torch==2.11", "12.8", "580.95.05"), "13.0", "cu128"),
        ("torch==2.11.0", wished("jax==0.7", "12.6", "580.95.05"), "13.0", None),
        ("torch==2.12.0", wished(None, None, "570.172.08"), "13.0", "cu126"),
        ("torch==2.9.1", wished("torch==2.9", "13.0", "580.95.05"), "12.8", "cu130"),
        ("torch==2.9.1", wished(None, None, "580.95.05"), "12.8", None),
        ("torch==2.7.1", wished(None, None, "580.95.05", models=["b200"], architectures=["blackwell"]), "12.6", "cu128"),
        ("torch==2.9.1", wished(None, None, "570.172.08", models=["v100"], architectures=["volta"]), "12.8", "cu126"),
        ("torch==2.99.0", wished(None, None, "570.172.08"), "13.0", None),
        ("torch==2.11.0", {}, "13.0", None),
    ],
)
def test_which_build_of_torch(framework, given, brings, label):
    step = second_build.step(framework, lock_of(brings), given)
    assert (step and step["label"]) == label


def test_a_lock_without_cuda_is_not_what_a_gpu_wants():
    assert second_build.step("torch==2.11.0", "torch==2.11.0\n", wished(None, None, "570.172.08"))["label"] == "cu128"
    assert second_build.step("torch==2.11.0", "torch==2.11.0\n", {}) is None


@pytest.mark.parametrize(
    ("given", "brings", "requirement"),
    [
        (wished("jax==0.7.2", "12.6", "570.172.08", mode="strict"), "12.9", "cuda-toolkit[cublas,cudart]==12.8.*"),
        (wished("jax==0.7.2", "13.0", "580.95.05", mode="strict"), "13.5", "cuda-toolkit[cudart,nvvm]==13.0.*"),
        (wished("jax==0.7.2", "12.6", "570.172.08"), "12.9", None),
        (wished("jax==0.7.2", "13.0", "580.95.05"), "13.5", None),
        (wished("jax==0.7.2", "12.6", "520.61.05", mode="strict"), "12.9", None),
    ],
)
def test_libraries_of_a_release_that_the_driver_runs(given, brings, requirement):
    step = second_build.step("jax==0.7.2", lock_of(brings), given)
    assert (step and step["requirements"]) == (requirement and [requirement])


def test_jax_is_of_the_major_that_was_resolved():
    assert builds.choose("jax==0.7.2", wished("jax==0.7", "12.6", "580.95.05"))["requirement"] == "jax[cuda12]==0.7.2"
    assert builds.choose("jax==0.7.2", wished("torch==2.9", "12.8", "580.95.05"))["requirement"] == "jax[cuda13]==0.7.2"


def test_a_release_that_the_tables_do_not_know_wants_what_the_one_before_wants():
    assert "CUDA 13.3.1 brings driver 610.43.02" in builds.refusal("jax", (13, 5, None), pins(mode="strict"))
    assert builds.refusal("jax", (13, 5, None), pins()) is None
    assert builds.refusal("jax", (11, 7, None), pins(mode="strict", models=[], architectures=[])) is None, "none before it is known"


def test_advice_names_a_release_whose_default_build_runs():
    told = builds.judge("torch==2.11.0", lock_of("13.0"), pins(driver="570.172.08"))[0]
    assert "(as torch 2.10 on the default index)" in told and "python_env_framework_index" in told
    assert "as torch" not in builds.judge("torch==2.11.0", lock_of("13.0"), pins(driver="450.80.02"))[0]
    assert set(torch_builds.DEFAULT) == set(frameworks.BUILDS["torch"])
    assert all(release in frameworks.BUILDS["torch"][name] for name, release in torch_builds.DEFAULT.items())


RELEASES = [(name, version) for name, table in sorted(frameworks.BUILDS.items()) for version in sorted(table)]


@given(st.sampled_from(RELEASES), st.sampled_from(sorted(shapes.SHAPES)), st.sampled_from(["strict", "compatible"]), st.data())
def test_what_resolve_chose_can_be_had(release, shape, mode, data):
    """resolve and python_env agree: of what was resolved, the default index's build runs, or another is asked for that does."""
    name, version = release
    driver = data.draw(st.sampled_from(shapes.DRIVERS))
    framework = "%s==%s" % release
    made = resolve(shape, {"framework": framework, "mode": mode, "components": [], "policy": "newest"}, shapes.nvidia(drivers=[driver]))[
        "pins"
    ]
    if made is None:
        return
    chosen = builds.choose(framework, made)
    assert chosen["problems"] == []
    major = (chosen["cuda"] or cuda.parse(made["cuda"]["release"]))[0]
    if major not in RUNTIMES:
        return
    default = torch_builds.DEFAULT[version] if name == "torch" else NEWEST[major]
    step = second_build.step(framework, lock_of(default), made)
    taken = step["cuda"] if step else cuda.parse(default)
    assert builds.refusal(name, taken, made) is None
    if name == "jax":
        assert taken[:2] >= (12, 6), "its packages take no earlier libraries"
    if name == "torch":
        assert taken[:2] == cuda.parse(made["cuda"]["release"])[:2], "it is the very build that was resolved"


def test_the_agreement_is_tried_where_it_matters():
    """Of the releases and drivers above, some need another build, of each framework."""
    needed = set()
    for (name, version), driver in itertools.product(RELEASES, ("570.195.03", "580.95.05")):
        made = resolve("h100", {"framework": "%s==%s" % (name, version), "components": []}, shapes.nvidia(drivers=[driver]))["pins"]
        major = cuda.parse(made["cuda"]["release"])[0] if made else None
        default = torch_builds.DEFAULT.get(version) if name == "torch" else NEWEST.get(major)
        if made and default and second_build.step("%s==%s" % (name, version), lock_of(default), made):
            needed.add(name)
    assert needed == {"torch", "jax", "tensorflow"}
