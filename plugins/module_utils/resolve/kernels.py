# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which kernels the modules are for, and where their headers come from."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, newer_kernel


def named(kernel, wished):
    """Releases for the words and names of a wish, each once, in its order; words as those of role nvidia_driver."""
    words = {
        "running": [kernel["running"]] if kernel["running"] else [],
        "newest-installed": sorted(kernel["installed"], key=versions.kernel_key)[-1:],
        "installed-headers": sorted(kernel["headers_for"], key=versions.kernel_key),
    }
    found = []
    for name in wished:
        found += [release for release in words.get(name, [name]) if release not in found]
    return found


def headers(platform, release, offered):
    """(package, version) of a kernel's headers, version None when no source has them."""
    name, version = names.headers(platform, release)
    return name, versions.newest([one for one in offered.get(name, []) if version is None or one.split(":", 1)[-1] == version])


def chosen(host, wish, offered):
    """([releases], [warnings]) that are wished, with a newer kernel where that is allowed and needed."""
    kernel, platform = host["kernel"], host["platform"]
    releases = named(kernel, wish["kernels"])
    if wish["kernel_upgrade"] == "never" or host["container"]:
        return releases, []

    def has_headers(release):
        return release in kernel["headers_for"] or headers(platform, release, offered)[1] is not None

    def newer():
        return newer_kernel.choose(platform, kernel["running"], kernel["installed"], offered) if kernel["running"] else None

    found, replaced, new = newer_kernel.settle(kernel, releases, has_headers, newer)
    told = "Kernel %s has no headers, here or in the sources: kernel %s is resolved in its place, and the host has to be restarted into it."
    return found, [told % (one, new) for one in replaced]


def resolve(host, wish, offered):
    """([{release, headers, image}], {package: version}, [messages], [warnings]); headers and image are names of packages, or None."""
    kernel, platform = host["kernel"], host["platform"]
    releases, warnings = chosen(host, wish, offered)
    if not releases:
        what = ", ".join(wish["kernels"]) or "empty"
        return [], {}, ["kernels is %s: that names no kernel of this host. Name releases, as 6.1.0-56-amd64." % what], []
    found, packages, told = [], {}, []
    for release in releases:
        name, version = headers(platform, release, offered)
        image = names.image(platform, release)
        there = versions.newest(offered.get(image, [])) if image else None
        if version is None and release not in kernel["headers_for"]:
            told.append(without_headers(release, host, wish))
        if release not in kernel["installed"] and there is None and not names.is_rpm(platform) and kernel["installed"]:
            told.append("kernel %s is neither installed nor offered. Name one that is, in kernels." % release)
        if version is None and release in kernel["headers_for"]:
            warnings.append("The headers of kernel %s are installed and no longer offered: another host could not have them." % release)
        packages.update({name: version} if version else {})
        packages.update({image: there} if there else {})
        found.append({"release": release, "headers": name if version else None, "image": image if there else None})
    return found, packages, told, warnings


def without_headers(release, host, wish):
    have = ", ".join(host["kernel"]["headers_for"]) or "none"
    if host["container"]:
        return (
            "kernel %s has no headers (installed: %s; no source offers them), and this host is a container, whose kernel is the machine's. "
            "Set kernel_modules to false where that machine has the modules, or name the kernels to build for in kernels." % (release, have)
        )
    if wish["kernel_upgrade"] != "never":
        return (
            "kernel %s has no headers (installed: %s; no source offers them), and no kernel of %s that is newer than those installed is "
            "offered with its headers in its place. Add a source that has one, or boot a kernel whose headers are offered."
            % (release, have, newer_kernel.kind(host["platform"], host["kernel"]["running"] or release))
        )
    return (
        "kernel %s has no headers (installed: %s; no source offers them): the driver's modules cannot be built for it. "
        "Boot a kernel whose headers are offered, set kernel_upgrade to if_required for a newer one, name one in kernels, or set "
        "kernel_modules to false where modules come from elsewhere." % (release, have)
    )
