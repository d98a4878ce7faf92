# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Puts the meta package of a kernel's headers into a plan, so that kernels of later upgrades come with theirs, and DKMS builds for them.

Debian's and Ubuntu's: beside linux-image-cloud-amd64, which an upgrade follows, linux-headers-cloud-amd64. Ubuntu's linux-aws has both; of
rpm dnf brings kernel-devel along. It comes only at a version whose headers are of kernels of this host: those of any other kernel would be
built for, too, and the driver need not build there.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, state
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import newer_kernel

# A word of the flavor, and no release in it; linux-image-amd64-dbg has no headers.
META = re.compile(r"^linux-image-(?!unsigned-|.*-dbg(?:sym)?$|.*\d+\.\d+\.\d)([a-z][a-z0-9.-]*)$")


def missing(packages):
    """{headers' meta package that is not here: (image's meta package, its version)}."""
    found = {}
    for name in sorted(packages):
        match, version = META.match(name), state.installed(packages, name)
        headers = match and newer_kernel.HEADERS + match.group(1)
        if match and version and not state.installed(packages, headers):
            found[headers] = (name, version)
    return found


def fits(actions, kernels):
    """Whether they bring nothing but new packages, no kernel, and headers of these kernels alone. actions: see apt.simulate."""
    names = [one["name"] for one in actions]
    if any(one["action"] != "install" or one["old"] for one in actions) or any(name.startswith(newer_kernel.IMAGE) for name in names):
        return False
    releases = [name[len(newer_kernel.HEADERS) :] for name in names if re.match(newer_kernel.HEADERS + r"\d", name)]
    return {one for one in releases if newer_kernel.flavor(one) not in (None, "common")} <= set(kernels)


def apply(job, options):
    """Add to job.decided["kernel_packages"] and job.notices. options: apt's."""
    wanted = missing(job.seen["packages"])
    if not wanted or not job.wish["kernel_modules"] or job.seen.get("container"):
        return
    coming = [one.partition("=")[0] for one in job.decided["kernel_packages"]]
    coming = [name[len(newer_kernel.IMAGE) :] for name in coming if name.startswith(newer_kernel.IMAGE)]
    offered = job.program.versions(sorted(wanted), options)
    for headers, (image, version) in wanted.items():
        there = offered.get(headers, [])
        # The image's own first; where it is behind, the newest may be of the kernel that comes with this change.
        for one in dict.fromkeys([one for one in there if one == version] + there[:1]):
            spec = "%s=%s" % (headers, one)
            if fits(simulated(job.program, spec, options), [*job.seen["installed_kernels"], *coming]):
                job.decided["kernel_packages"].append(spec)
                break
        else:
            job.notices.append(notice(headers, image, version, there))


def simulated(program, spec, options):
    """As apt.simulate; what cannot be installed is as what must not."""
    try:
        return program.simulate([spec], options)
    except apt.Failed:
        return [{"action": "remove", "name": spec, "old": None, "new": None}]


def notice(headers, image, version, there):
    return (
        "%s is %s here, and no source has %s for its kernel (offered: %s): a kernel that an upgrade brings has no headers then, and no "
        "driver until this role runs again. Bring the kernel up to date, restart the host, and run it again."
        % (image, version, headers, ", ".join(there[:4]) or "none")
    )
