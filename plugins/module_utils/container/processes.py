# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Running containers, as the host's process list shows them: a daemon that hangs need not be asked."""

from __future__ import annotations

import os
import re


def shims(namespace, proc="/proc"):
    """How many containers run in a namespace of containerd (Docker's is moby): each has a shim process of its own."""
    count = 0
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(os.path.join(proc, name, "cmdline"), "rb") as file:
                words = file.read().split(b"\0")
        except OSError:  # it has ended, or is not ours to see
            continue
        count += _is_shim(words, namespace)
    return count


# What NVIDIA's runtime and CDI mount into a container: libraries, the management program, and in the runtime's mode the devices.
GPU_MOUNT = re.compile(r"/(?:libcuda\.so|libnvidia-ml\.so|nvidia-smi|nvidia-persistenced)|/dev/nvidia(?:\d|ctl|-uvm)")


def gpu_containers(namespace=None, proc="/proc"):
    """How many running containers have GPUs. namespace: of containerd; None for all.

    A container's first process is a child of its shim, and its mounts tell of the GPUs, whether it uses them now or not.
    """
    keepers, parents = set(), {}
    for name in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(os.path.join(proc, name, "cmdline"), "rb") as file:
                words = file.read().split(b"\0")
            with open(os.path.join(proc, name, "stat"), encoding="utf-8", errors="replace") as file:
                parents[name] = file.read().rpartition(")")[2].split()[1]
        except (OSError, IndexError):  # it has ended, or is not ours to see
            continue
        if _is_shim(words, namespace):
            keepers.add(name)
    return sum(_has_gpu(os.path.join(proc, name, "mountinfo")) for name, parent in parents.items() if parent in keepers)


def _has_gpu(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(GPU_MOUNT.search(line.split()[4]) for line in file)
    except (OSError, IndexError):
        return False


def _is_shim(words, namespace):
    return os.path.basename(words[0]).startswith(b"containerd-shim") and (namespace is None or namespace.encode() in words)


def gpu_problem(unit, count, why):
    """Why a restart has to wait, in one message; None when no container has GPUs. why: words for what waits for it."""
    if not count:
        return None
    return (
        "%s must be restarted for %s, and %d running container%s GPUs. Its settings were not changed: this waits until they have ended. "
        "Run this again then, or set container_runtime_interrupt to true for this run."
        % (unit, why, count, " has" if count == 1 else "s have")
    )
