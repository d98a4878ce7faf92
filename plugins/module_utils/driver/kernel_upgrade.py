# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Puts a newer kernel with its headers into a plan, where the running one's headers have left the sources and the policy allows it.

It comes as a kernel of pins does: before the driver, in the same change. The restart into it is the caller's.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, newer_kernel


def apply(job, options):
    """Change kernels, kernel_packages, headers and replaced of job.decided where that is due. options: of the package manager."""
    wish, decided, seen = job.wish, job.decided, job.seen
    platform = job.host["platform"]
    if wish["kernel_upgrade"] == "never" or wish["pins"] or not decided["headers"] or not platform:
        return
    running, installed = seen["running"], seen["installed_kernels"]

    def has_headers(release):
        package = wish["headers"].replace("KERNEL", release)
        return release in seen["header_kernels"] or bool(job.program.candidates([package], options)[package])

    def newer():
        wanted = newer_kernel.interesting(platform, job.program.names("linux-", options), running)
        return newer_kernel.choose(platform, running, installed, job.program.versions(wanted, options) if wanted else {})

    kernel = {"running": running, "installed": installed}
    found, replaced, new = newer_kernel.settle(kernel, decided["kernels"], has_headers, newer)
    if replaced:
        images = [] if new in installed else [image(platform, new)]
        headers = [wish["headers"].replace("KERNEL", one) for one in found if one not in seen["header_kernels"]]
        decided.update(kernels=found, kernel_packages=images + headers, headers=headers, replaced=replaced)


def image(platform, release):
    """What a package manager is told for a kernel. One of rpm has its release behind its name."""
    return names.image(platform, release) or "%s-%s" % (names.rpm_kernel(platform, release), release)


def problem(job, package, kernel):
    """The message about a kernel whose headers no source has, and in whose place no other comes."""
    if job.wish["pins"]:
        return (
            "%s has no candidate: DKMS cannot build the driver for kernel %s without its headers, which is of nvidia_driver_pins, or newer "
            "than those and what this host starts. Remove that kernel, add a source that has its headers, or resolve again for this host "
            "with kernel_upgrade." % (package, kernel)
        )
    if job.wish.get("kernel_upgrade", "never") != "never" and not job.wish["pins"] and job.host["platform"]:
        what = newer_kernel.kind(job.host["platform"], job.seen["running"])
        return (
            "%s has no candidate: DKMS cannot build the driver for kernel %s without its headers, and no source offers a kernel of %s that "
            "is newer than those installed with its headers in its place. Nothing was changed. Add a source that has one, or name the "
            "kernels to build for in nvidia_driver_kernels, or set nvidia_driver_kernel_modules to false where modules come from elsewhere."
            % (package, kernel, what)
        )
    return (
        "%s has no candidate: DKMS cannot build the driver for kernel %s without its headers. Set nvidia_driver_kernel_upgrade to "
        "if_required on a host with a kernel of its own, for a newer one; or boot a kernel of this distribution, or name the kernels to "
        "build for in nvidia_driver_kernels, or set nvidia_driver_kernel_modules to false where modules come from elsewhere."
        % (package, kernel)
    )
