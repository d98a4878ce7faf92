# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What to ask for where the build that the default index gives is not the one that the pins want. Pure.

torch: another build of the same release, of PyTorch's own index. tensorflow and jax have one build, which takes CUDA's libraries as a
range; uv takes the newest of it, so the range is narrowed to the newest CUDA that the pinned driver runs, by the package cuda-toolkit,
whose extras pin each library to a CUDA release (names read off the packages' metadata, 2026-11).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import builds, cuda, frameworks, tables, torch_builds

_LIBRARIES = {
    "cublas": "cublas", "cuda-cccl": "cccl", "cuda-crt": "crt", "cuda-cupti": "cupti", "cuda-nvcc": "nvcc", "cuda-nvrtc": "nvrtc",
    "cuda-runtime": "cudart", "cufft": "cufft", "curand": "curand", "cusolver": "cusolver", "cusparse": "cusparse",
    "nvjitlink": "nvjitlink", "nvvm": "nvvm",
}  # fmt: skip
_LINE = re.compile(r"^nvidia-(%s)(?:-cu\d+)?==" % "|".join(_LIBRARIES), re.MULTILINE)


def step(framework, lock, pins):
    """{cuda, label, requirements} to ask for after a lock of the default index; None when that is the one, or there is no other.

    label: name of PyTorch's index to take torch's own packages from, or None; requirements: what to ask for besides.
    """
    name, version = frameworks.parse(framework)
    if not pins:
        return None
    brings = builds.cuda_of(lock)
    return _other_torch(version, brings, pins) if name == "torch" else _earlier_libraries(name, brings, lock, pins)


def _other_torch(version, brings, pins):
    fitting = [one for one in frameworks.builds("torch", version) if builds.refusal("torch", one, pins) is None]
    wish = builds.wanted("torch", pins)
    named = [one for one in fitting if wish and one[:2] == wish[:2]]
    if not named and brings and builds.refusal("torch", brings, pins) is None:
        return None
    choice = (named or fitting or [None])[0]
    if choice is None or brings and brings[:2] == choice[:2]:
        return None
    return {"cuda": choice, "label": torch_builds.label(choice), "requirements": []}


def _earlier_libraries(name, brings, lock, pins):
    if brings is None or builds.refusal(name, brings, pins) is None:
        return None
    earlier = sorted({one[:2] for one in tables.CUDA_DRIVERS if one[0] == brings[0] and one[:2] < brings[:2]}, reverse=True)
    choice = next((one + (None,) for one in earlier if builds.refusal(name, one + (None,), pins) is None), None)
    if choice is None:
        return None
    extras = ",".join(sorted({_LIBRARIES[found] for found in _LINE.findall(lock)}))
    return {"cuda": choice, "label": None, "requirements": ["cuda-toolkit[%s]==%d.%d.*" % ((extras,) + choice[:2])]}


def told(framework, pins, first):
    """What differs from the pins in a lock of the default index that runs, for a warning."""
    brings, wish = builds.cuda_of(first), builds.wanted(frameworks.parse(framework)[0], pins)
    return "%s: the list has its build %s%s" % (
        framework,
        "for CUDA %s" % cuda.text(brings) if brings else "without CUDA",
        ", and the pins are for CUDA %s" % cuda.text(wish) if wish else "",
    )
