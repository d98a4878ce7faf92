# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What goes with a driver: NVLink's subnet manager, the container toolkit, CUDA's toolkit, DCGM."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import candidates, cuda, names, tables

# CDI 0.7.0, which they write from this version on, cannot be read by podman before 5.
NEW_CDI, PODMAN = "1.19.1", "5"


def is_wanted(wish, component):
    """True where it is asked for by name, None where it is welcome, False where others are named."""
    return None if wish["components"] is None else component in wish["components"]


def absent(wish, component, what):
    """(messages, warnings) about a component that no source has: a wish by name is refused without it."""
    if is_wanted(wish, component):
        return ["components has %s: no source of this host offers %s. Add the source that has it, or leave it out." % (component, what)], []
    return [], ["%s is not resolved: no source of this host offers %s." % (component, what)]


def subnet_manager(offered):
    """({package: version}, [messages])."""
    version = versions.newest(offered.get(names.NVLSM, []))
    if version:
        return {names.NVLSM: version}, []
    return {}, ["This host needs NVLink's subnet manager: no source offers nvlsm. Add NVIDIA's repository, or a mirror that has it."]


def persistence(host, wish, offered, driver, flavor):
    """({package: version}, [messages], [warnings]) of the persistence daemon. A driver works without it."""
    name = names.persistence(host["platform"], wish["source"], tables.branch_of(driver), flavor)
    if name is None:
        return {}, [], []
    version = candidates.version_of(offered, name, driver)
    if version:
        return {name: version}, [], []
    return {}, [], ["GPUs will not be kept initialised: no source of this host offers %s %s." % (name, driver)]


def reads(podman, toolkit):
    """Whether podman can read what this toolkit writes; versions are upstream's. What is not known is taken to."""
    return not podman[:1].isdigit() or versions.compare(podman, PODMAN) >= 0 or versions.compare(toolkit, NEW_CDI + "~") < 0


def container_toolkit(host, wish, offered):
    """({package: version}, [messages], [warnings]); its four packages are always of one version."""
    exact, podman = wish["container_toolkit"], host["podman"]
    if is_wanted(wish, "container_toolkit") is False:
        return {}, [], []
    newest = candidates.same_version(offered, names.CONTAINER_TOOLKIT, (lambda one: one == exact) if exact else None)
    if newest is None and exact:
        there = ", ".join(candidates.upstreams(offered, names.CONTAINER_TOOLKIT[0])) or "none"
        told = "container_toolkit is %s: the sources have no such version of all four packages (of the first: %s). Wish one of them."
        return {}, [told % (exact, there)], []
    if newest is None:
        return ({},) + absent(wish, "container_toolkit", "the four packages of nvidia-container-toolkit in one version")
    if reads(podman, versions.upstream(newest)):
        return dict.fromkeys(names.CONTAINER_TOOLKIT, newest), [], []
    why = "podman %s cannot read the device descriptions that it writes from %s on" % (podman, NEW_CDI)
    if exact:
        return {}, ["container_toolkit is %s: %s. Wish 1.18.1, leave it out, or have podman %s." % (exact, why, PODMAN)], []
    version = candidates.same_version(offered, names.CONTAINER_TOOLKIT, lambda one: reads(podman, one))
    if version is None:
        return ({},) + absent(wish, "container_toolkit", "the four packages of nvidia-container-toolkit before %s, and %s" % (NEW_CDI, why))
    told = "container_toolkit is %s, and %s is offered: %s. Have podman %s for the newer one."
    return dict.fromkeys(names.CONTAINER_TOOLKIT, version), [], [told % (version, newest, why, PODMAN)]


def toolkits(wish, offered):
    """[(release, package version)] of CUDA's toolkit for the wished CUDA, the newest first; version None: no toolkit is resolved."""
    release = cuda.parse(wish["cuda"])
    if is_wanted(wish, "cuda_toolkit") is False:
        return [(release, None)]
    found = {}
    for version in offered.get(cuda.toolkit_package(release), []):
        made = cuda.toolkit_release(version)
        if made and made[:2] == release[:2] and release[2] in (None, made[2]):
            found[made] = versions.newest([version] + ([found[made]] if made in found else []))
    return sorted(found.items(), reverse=True) or [(release, None)]


def cuda_majors(driver, host):
    """CUDA majors that a driver runs and all GPUs know, the newest first."""
    branch = tables.branch_of(driver)
    last = min([cuda.last_for(gpu) or 99 for gpu in host["gpus"]])
    return [major for major in sorted(tables.CUDA_BRANCHES, reverse=True) if major <= last and branch >= tables.CUDA_BRANCHES[major]]


def dcgm(driver, host, wish, offered):
    """({package: version}, [messages], [warnings]): its core and the part for the newest CUDA that the driver runs, of one version."""
    if is_wanted(wish, "dcgm") is False:
        return {}, [], []
    core = names.DCGM + "-core"
    for major in cuda_majors(driver, host):
        part = "%s-cuda%d" % (names.DCGM, major)
        version = candidates.same_version(offered, (core, part))
        if version:
            found = {core: version, part: version}
            extra = names.DCGM + "-proprietary"
            return dict(found, **({extra: version} if version in offered.get(extra, []) else {})), [], []
    return ({},) + absent(wish, "dcgm", "%s and its part for a CUDA that the driver runs in one version" % core)
