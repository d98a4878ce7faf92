# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How containers get GPUs: by CDI where engine and toolkit know it, else by NVIDIA's runtime. A pure function.

Docker 25 reads CDI specifications (feature cdi, https://docs.docker.com/build/building/cdi/), containerd 1.7 does with enable_cdi
(docs/cri/config.md), podman from 4.1 on without being told. The toolkit writes and refreshes the specification by itself from 1.18 on
(its release notes), and version 0.7.0 of the format from 1.19.1 on, which podman before 5 cannot read.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.extras import NEW_CDI, PODMAN

FIRST = {"docker": "25", "containerd": "1.7", "podman": "4.1"}
TOOLKIT = "1.18"
SAID = "Docker 25, containerd 1.7 or podman 4.1, and the NVIDIA Container Toolkit 1.18"


def numbers(version):
    """What a version is compared by: (1, 18, 1) of 1:1.18.1~rc.1-1; () of nothing."""
    found = re.match(r"^(?:\d+:)?v?(\d+(?:\.\d+)*)", version or "")
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def at_least(version, first):
    """An unknown version is of what is not installed yet: taken to be new enough, as the check mode of a bare host wants it."""
    return not numbers(version) or numbers(version) >= numbers(first)


def toolkit_below(engine, engine_version):
    """What the toolkit's version has to be before (as dpkg orders them), or the engine cannot read what it writes; None for no limit."""
    return NEW_CDI + "~" if engine == "podman" and not at_least(engine_version, PODMAN) else None


def choose(wish, engine, engine_version, toolkit_version):
    """{mode: cdi|runtime, problem: None or why the wish cannot be had}. wish: auto, cdi or runtime; versions: "" for not there yet."""
    known = at_least(engine_version, FIRST[engine]) and at_least(toolkit_version, TOOLKIT)
    readable = not (toolkit_below(engine, engine_version) and numbers(toolkit_version) >= numbers(NEW_CDI))
    here = "this host has %s %s and toolkit %s" % (engine, engine_version or "(to be installed)", toolkit_version or "(to be installed)")
    if not readable:
        return {
            "mode": "cdi",
            "problem": "podman before %s cannot read the CDI specification that the toolkit writes from %s on: %s. "
            "Set container_runtime_nvidia_version to 1.18.1." % (PODMAN, NEW_CDI, here),
        }
    if engine == "podman" and (wish == "runtime" or not known):
        return {
            "mode": "cdi",
            "problem": "podman gets GPUs by CDI alone, which wants podman 4.1 and the NVIDIA Container Toolkit 1.18: %s, and "
            "container_runtime_nvidia_mode is %s. Set that to auto, and container_runtime_nvidia_version to 1.18.1 or later."
            % (here, wish),
        }
    if wish == "cdi" and not known:
        told = "container_runtime_nvidia_mode is cdi: it wants %s, and %s. Set it to auto or runtime." % (SAID, here)
        return {"mode": "cdi", "problem": told}
    return {"mode": "cdi" if known and wish != "runtime" else "runtime", "problem": None}
