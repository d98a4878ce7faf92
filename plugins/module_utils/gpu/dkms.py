# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""States of NVIDIA's modules in DKMS, from its own tree: what `dkms status` says, without the seconds that it takes.

/var/lib/dkms/NAME/VERSION/source; …/VERSION/KERNEL/ARCHITECTURE/module when it is built; NAME/kernel-KERNEL-ARCHITECTURE leads to the
version that is installed for that kernel (dkms(8), section FILES, and the script itself).
"""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import kernels

BROKEN, ADDED, BUILT, INSTALLED = "broken", "added", "built", "installed"
TREE = kernels.DKMS
# What a version's folder has beside those of kernels.
OTHERS = ("source", "build", "log", "tarball", "patches", "rpm")


def look(host):
    """[{name, version, kernel, architecture, state}]; kernel and architecture are None for what is not built for any (added, broken)."""
    found = []
    for name in host.names(TREE) if host.is_folder(TREE) else []:
        if not kernels.DKMS_NAME.match(name) or not host.is_folder("%s/%s" % (TREE, name)):
            continue
        for version in host.names("%s/%s" % (TREE, name)):
            if kernels.VERSION.match(version) and host.is_folder("%s/%s/%s" % (TREE, name, version)):
                found += of_version(host, name, version)
    return found


def of_version(host, name, version):
    """States of one version, for each kernel that it is built for."""
    base = "%s/%s/%s" % (TREE, name, version)
    entry = {"name": name, "version": version, "kernel": None, "architecture": None}
    built = []
    for kernel in host.names(base):
        if kernel in OTHERS or not host.is_folder("%s/%s" % (base, kernel)):
            continue
        for architecture in host.names("%s/%s" % (base, kernel)):
            if host.is_folder("%s/%s/%s/module" % (base, kernel, architecture)):
                installed = leads_to(host, name, kernel, architecture) == version
                state = INSTALLED if installed else BUILT
                built.append(dict(entry, kernel=kernel, architecture=architecture, state=state))
    if built:
        return built
    # The source is a link into /usr/src: without its target nothing can be built.
    return [dict(entry, state=ADDED if host.is_folder(base + "/source") else BROKEN)]


def leads_to(host, name, kernel, architecture):
    """The version that the link of a kernel leads to; None without one."""
    try:
        target = os.readlink(host.path("%s/%s/kernel-%s-%s" % (TREE, name, kernel, architecture)))
    except (OSError, ValueError):
        return None
    # VERSION/KERNEL/ARCHITECTURE, as dkms makes it, or the same behind the tree's own path.
    parts = target.rstrip("/").split("/")
    return parts[-3] if len(parts) >= 3 else None
