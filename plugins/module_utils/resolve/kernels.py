# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which kernels the modules are for, and where their headers come from."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names


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


def resolve(host, wished, offered):
    """([{release, headers, image}], {package: version}, [messages], [warnings]); headers and image are names of packages, or None."""
    kernel, platform = host["kernel"], host["platform"]
    releases = named(kernel, wished)
    if not releases:
        what = ", ".join(wished) or "empty"
        return [], {}, ["kernels is %s: that names no kernel of this host. Name releases, as 6.1.0-56-amd64." % what], []
    found, packages, told, warnings = [], {}, [], []
    for release in releases:
        name, version = headers(platform, release, offered)
        image = names.image(platform, release)
        there = versions.newest(offered.get(image, [])) if image else None
        if version is None and release not in kernel["headers_for"]:
            told.append(without_headers(release, kernel))
        if release not in kernel["installed"] and there is None and not names.is_rpm(platform) and kernel["installed"]:
            told.append("kernel %s is neither installed nor offered. Name one that is, in kernels." % release)
        if version is None and release in kernel["headers_for"]:
            warnings.append("The headers of kernel %s are installed and no longer offered: another host could not have them." % release)
        packages.update({name: version} if version else {})
        packages.update({image: there} if there else {})
        found.append({"release": release, "headers": name if version else None, "image": image if there else None})
    return found, packages, told, warnings


def without_headers(release, kernel):
    have = ", ".join(kernel["headers_for"]) or "none"
    return (
        "kernel %s has no headers (installed: %s; no source offers them): the driver's modules cannot be built for it. "
        "Boot a kernel whose headers are offered, name one in kernels, or set kernel_modules to false where modules come from elsewhere."
        % (release, have)
    )
