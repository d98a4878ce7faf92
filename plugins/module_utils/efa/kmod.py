# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel modules of AWS's EFA software for the kernel that runs: as DKMS has them, and as they are loaded.

DKMS's tree: gpu/dkms.py. Names of the sources: https://github.com/amzn/amzn-drivers, kernel/linux/efa and kernel/linux/efa_nv_peermem.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import dkms, kernels

NAME = "efa"


def look(host, running):
    """{registered: [version], installed, loaded, headers}: versions that DKMS knows, the one that is installed for the running kernel,
    the one that the kernel has loaded (null for none, "" for one that does not say) and whether its headers are here."""
    tree = "%s/%s" % (dkms.TREE, NAME)
    names = host.names(tree) if host.is_folder(tree) else []
    versions = [one for one in names if kernels.VERSION.match(one) and host.is_folder("%s/%s" % (tree, one))]
    states = [state for version in versions for state in dkms.of_version(host, NAME, version)]
    here = [state["version"] for state in states if state["kernel"] == running and state["state"] == dkms.INSTALLED]
    loaded = host.text("/sys/module/efa/version", 256).strip() if host.is_folder("/sys/module/efa") else None
    return {
        "registered": sorted(versions, key=kernels.order),
        "installed": here[-1] if here else None,
        "loaded": loaded,
        "headers": host.is_folder("%s/%s/build" % (kernels.place(host), running)),
    }


def waits_for_reboot(module):
    """Whether another module is loaded than the one that is installed. The driver says its version with a g behind it."""
    return bool(module["installed"] and module["loaded"] and module["loaded"].rstrip("g") != module["installed"])
