# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Reads of a host what versions are resolved from: its GPUs and kernels, and what its package sources offer. Changes nothing."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import kernels, packages, pci
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import candidates, newer_kernel

# What dnf is asked for; the rest of the names is made of these.
DNF_PATTERNS = (
    "nvidia-driver-cuda", "kmod-nvidia-*-dkms", "nvidia-fabric*", "nvlsm", "cuda-toolkit-*", "nvidia-container-toolkit*",
    "libnvidia-container*", "datacenter-gpu-manager-4-*", "kernel-devel", "kernel[1-9].*-devel", "libnvidia-nscq*",
    "libnvsdm*", "nvidia-imex*",
)  # fmt: skip
FORMAT = "%{name} %{epoch}:%{version}-%{release}\n"


class Unreadable(Exception):
    """The package manager did not answer; the message says why and what to do."""


def gpu(host):
    """The part of fact mlinfra_gpu that counts, without running any program. host: gpu.reading.Host."""
    bus = pci.look(host)
    podman = packages.read(host, lambda patterns: "").get("podman") or {}
    return {
        "present": bool(bus["devices"]),
        "models": sorted({one["model"] for one in bus["devices"]} - {None}),
        "architectures": sorted({one["architecture"] for one in bus["devices"]} - {None}),
        "nvswitch_count": bus["nvswitch_count"],
        "kernel": kernels.look(host, os.uname().release, lambda path: {})["kernel"],
        "engines": {"podman": packages.upstream(podman.get("version"))},
    }


def offered(run, find, releases, replaced=(None, None)):
    """{package: [versions]} of apt, else of dnf. run: AnsibleModule.run_command; find(name): a program's path or None.

    replaced: (platform, a kernel's release) where kernels that could take its place count, too.
    """
    if find("apt-cache"):
        known = ask(run, [find("apt-cache"), "pkgnames"]).split()
        names = sorted(set(candidates.interesting(known, releases)).union(in_place_of(replaced, known)))
        return apt.parse_madison(ask(run, [find("apt-cache"), "madison"] + names)) if names else {}
    if find("dnf"):
        command = [find("dnf"), "--quiet", "repoquery", "--showduplicates", "--queryformat", FORMAT]
        return candidates.parse_dnf(ask(run, command + list(DNF_PATTERNS) + in_place_of(replaced, [])))
    raise Unreadable("This host has neither apt nor dnf: what its sources offer cannot be read. Give it as offered, {package: [versions]}.")


def in_place_of(replaced, known):
    """Names, see newer_kernel.interesting. replaced: see offered."""
    platform, release = replaced
    return newer_kernel.interesting(platform, known, release) if platform and release else []


def ask(run, command):
    """What a program prints. :raises Unreadable: it failed."""
    code, out, err = run(command, environ_update={"LC_ALL": "C", "LANGUAGE": ""})
    if code:
        said = (err.strip() or out.strip()).splitlines()
        why = said[-1] if said else "nothing"
        raise Unreadable("%s fails, and says: %s. Repair the host's package sources, then run this again." % (" ".join(command[:2]), why))
    return out
