# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which build of a framework fits the pins of a host, as the package index has it: pure.

The index has one build of each release of torch and tensorflow, and one of jax for each CUDA major; which CUDA a build brings is in the
packages that it depends on, so a lock tells it (nvidia-cuda-runtime-cu12 12.8.90 is CUDA 12.8). For others see
second_build.py. Extras: JAX, https://docs.jax.dev/en/latest/installation.html, "NVIDIA GPU"; TensorFlow,
https://www.tensorflow.org/install/pip.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda, frameworks, tables, torch_builds

EXTRAS = {"torch": "", "tensorflow": "[and-cuda]", "jax": "[cuda%d]"}
RUNTIME = re.compile(r"^nvidia-cuda-runtime(?:-cu\d+)?==(\d+)\.(\d+)\.", re.MULTILINE)


def gpus_of(pins):
    """The GPUs that the pins were made for, each as frameworks.problem takes it. Which model is of which architecture is not in pins."""
    known = pins.get("gpu") or {}
    models = [{"model": name, "architecture": None, "label": name.upper()} for name in known.get("models") or []]
    return models + [{"model": None, "architecture": name, "label": "the %s GPUs" % name} for name in known.get("architectures") or []]


def refusal(name, release, pins):
    """Why a CUDA release does not run with what is pinned; None when it does."""
    driver, mode = (pins.get("driver") or {}).get("version"), (pins.get("wish") or {}).get("mode") or "compatible"
    if driver and release[0] in tables.CUDA_BRANCHES:
        known = nearest(release)
        least, why = cuda.minimum(known or release, mode if known else "compatible")
        if versions.compare(driver, least) < 0:
            return "driver %s cannot run it (%s)" % (driver, why)
    return frameworks.problem(name, release, gpus_of(pins))


def nearest(release):
    """The newest CUDA release of the tables that is not newer than this one, of the same major; None when there is none.

    What it brings is the least that a release wants which the tables do not know: libraries are published before tables are read again.
    """
    return max(
        (one for one in tables.CUDA_DRIVERS if one[0] == release[0] and one <= (release[0], release[1], release[2] or 0)), default=None
    )


def wanted(name, pins):
    """The CUDA that the pins were resolved for, where that was for this framework or wished by itself; None when it binds nothing."""
    wish = pins.get("wish") or {}
    parsed = frameworks.parse(wish.get("framework") or "")
    if not wish.get("cuda") and not (parsed and parsed[0] == name):
        return None
    return cuda.parse((pins.get("cuda") or {}).get("release") or "")


def choose(framework, pins):
    """{requirement, cuda, problems}: what to ask the index for. cuda: the release of the build, None where the lock will tell.

    framework: as torch==2.9.1; pins: see resolve/pins.py, empty for a build without a GPU.
    """
    parsed = frameworks.parse(framework)
    if parsed is None or parsed[0] not in EXTRAS:
        expected = "expected %s with a release, as torch==2.9.1." % ", ".join(sorted(EXTRAS))
        return {"requirement": None, "cuda": None, "problems": ["python_env_framework is %r: %s" % (framework, expected)]}
    name, version = parsed
    other = (pins.get("wish") or {}).get("framework")
    if other and frameworks.parse(other) and frameworks.parse(other)[0] == name and not is_release(version, frameworks.parse(other)[1]):
        text = "python_env_framework is %s: the pins were resolved for %s. Resolve again, or take that release."
        return {"requirement": None, "cuda": None, "problems": [text % (framework, other)]}
    if not pins:
        return {"requirement": "%s==%s" % parsed, "cuda": None, "problems": []}
    known = frameworks.builds(name, version)
    judged = [(release, refusal(name, release, pins)) for release in known]
    fitting = [release for release, why in judged if not why]
    if known and not fitting:
        reasons = ["CUDA %s: %s" % (cuda.text(release), why) for release, why in judged]
        text = "python_env_framework is %s: none of its builds fits the pins (%s). Choose another release, or resolve again."
        return {"requirement": None, "cuda": None, "problems": [text % (framework, "; ".join(reasons))]}
    if name != "jax":
        return {"requirement": "%s%s==%s" % (name, EXTRAS[name], version), "cuda": None, "problems": []}
    wish = wanted(name, pins)
    same = [one for one in fitting if wish and one[0] == wish[0]]
    release = (same or fitting or [cuda.parse((pins.get("cuda") or {}).get("release") or "")])[0]
    if release is None:
        text = "python_env_framework is %s: the tables do not know its builds, and the pins have no CUDA. Resolve with a cuda."
        return {"requirement": None, "cuda": None, "problems": [text % framework]}
    return {"requirement": "jax%s==%s" % (EXTRAS["jax"] % release[0], version), "cuda": release, "problems": []}


def is_release(version, wished):
    """Whether 2.9.1 is of 2.9."""
    return version == wished or version.startswith(wished + ".")


def cuda_of(lock):
    """The CUDA that a lock's packages bring, as (major, minor, None); None when they bring none."""
    found = RUNTIME.findall(lock)
    return max((int(major), int(minor), None) for major, minor in found) if found else None


def judge(framework, lock, pins):
    """Messages about a lock whose CUDA does not run with what is pinned."""
    release = cuda_of(lock)
    if release is None:
        return []
    name = frameworks.parse(framework)[0]
    why = refusal(name, release, pins)
    if why is None:
        return []
    text = "python_env_framework is %s: the index has its build for CUDA %s, and %s. "
    text += "Choose a release whose build is for an earlier CUDA%s, upgrade the driver, or give a mirror (%s) that has another."
    earlier = torch_builds.newest_default(lambda one: refusal(name, one, pins) is None) if name == "torch" else None
    as_that = " (as torch %s on the default index)" % earlier if earlier else ""
    mirrors = "mlinfra_mirrors.pypi" + (", or python_env_framework_index for PyTorch's own" if name == "torch" else "")
    return [text % (framework, cuda.text(release), why, as_that, mirrors)]
