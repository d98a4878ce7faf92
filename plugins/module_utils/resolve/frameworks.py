# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which CUDA the published builds of PyTorch, TensorFlow and JAX are made with.

Sources: PyTorch, RELEASE.md, "Release Compatibility Matrix" (as of 2.14) and "PyTorch CUDA Support Matrix"; TensorFlow,
https://www.tensorflow.org/install/source "Tested build configurations", GPU; JAX, https://docs.jax.dev/en/latest/installation.html
"NVIDIA GPU", and the least CUDA whose libraries jax[cuda12] takes (its plugin wants nvidia-cuda-nvcc-cu12>=12.6.85, though it is built with
12.3: locks of each release, made here). Read 2026-11.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda

_JAX_12, _JAX_BOTH = ("12.6",), ("12.6", "13.0")
# framework: release (as long as it has to be to tell): CUDA of its builds.
BUILDS = {
    "torch": {
        "2.1": ("11.8", "12.1"),
        "2.2": ("11.8", "12.1"),
        "2.3": ("11.8", "12.1"),
        "2.4": ("11.8", "12.1", "12.4"),
        "2.5": ("11.8", "12.1", "12.4"),
        "2.6": ("11.8", "12.4", "12.6"),
        "2.7": ("11.8", "12.6", "12.8"),
        "2.8": ("12.6", "12.8", "12.9"),
        "2.9": ("12.6", "12.8", "13.0"),
        "2.10": ("12.6", "12.8", "13.0"),
        "2.11": ("12.6", "12.8", "13.0"),
        "2.12": ("12.6", "13.0", "13.2"),
        "2.13": ("12.6", "13.0", "13.2"),
        "2.14": ("12.6", "13.0", "13.2"),
    },
    "tensorflow": {
        "2.12": ("11.8",),
        "2.13": ("11.8",),
        "2.14": ("11.8",),
        "2.15": ("12.2",),
        "2.16": ("12.3",),
        "2.17": ("12.3",),
        "2.18": ("12.5",),
        "2.19": ("12.5",),
        "2.20": ("12.5",),
    },
    "jax": {
        "0.5": _JAX_12,
        "0.6": _JAX_12,
        "0.7": _JAX_12,
        "0.7.2": _JAX_BOTH,
        "0.8": _JAX_BOTH,
        "0.9": _JAX_BOTH,
        "0.10": _JAX_BOTH,
    },
}
# These compile for a GPU that is newer than their CUDA when they first use it; PyTorch's builds mostly cannot.
COMPILE_LATE = ("tensorflow", "jax")
# PyTorch's builds of CUDA 12.8 and later leave out what is older than Turing.
TORCH_OLD = ("kepler", "maxwell", "pascal", "volta")
FORM = re.compile(r"^(?P<name>[a-z]+)==(?P<version>\d+(?:\.\d+)+)$")


def parse(wish):
    """'torch==2.9.1' -> ('torch', '2.9.1'); None for any other form."""
    found = FORM.match(str(wish).strip().lower())
    return (found.group("name"), found.group("version")) if found else None


def builds(name, version):
    """CUDA releases (see cuda.parse), the newest first; none when the release is not in the table."""
    parts = version.split(".")
    table = BUILDS.get(name, {})
    key = next((key for key in (".".join(parts[:count]) for count in (3, 2)) if key in table), None)
    return sorted((cuda.parse(one) for one in table.get(key, ())), key=lambda one: one[:2], reverse=True)


def problem(name, release, gpus):
    """Why a build does not serve these GPUs; None when it does."""
    for gpu in gpus:
        first, last = cuda.first_for(gpu), cuda.last_for(gpu)
        if last and release[0] > last:
            return "%s works up to CUDA %d" % (gpu["label"], last)
        if first and release[:2] < first and name not in COMPILE_LATE:
            return "%s needs CUDA %d.%d" % (gpu["label"], first[0], first[1])
        if name == "torch" and release[:2] >= (12, 8) and gpu["architecture"] in TORCH_OLD:
            return "the builds of torch for CUDA 12.8 and later leave out %s" % gpu["label"]
    return None


def compiles_late(name, release, gpus):
    """Labels of GPUs that this build's kernels have to be compiled for at their first use."""
    older = [gpu["label"] for gpu in gpus if (cuda.first_for(gpu) or (0, 0)) > release[:2]]
    return older if name in COMPILE_LATE else []


def known(name):
    """'2.1 … 2.14' of a framework."""
    order = sorted(BUILDS[name], key=lambda one: [int(part) for part in one.split(".")])
    return "%s … %s" % (order[0], order[-1])
