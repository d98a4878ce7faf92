# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether what an installation left on the disk is the driver that its packages say: libraries, modules, fabric manager."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import kernels, modinfo, user_space
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host


def look(run, root="/"):
    """{libraries: [versions], modules: [{kernel, version, flavor, path}]}. run: AnsibleModule.run_command, for compressed modules."""
    host = Host(root)

    def ask(path):
        code, out, unused = run(["modinfo", path])
        return modinfo.parse_printed(out) if code == 0 else {}

    return {"libraries": user_space.versions(host), "modules": kernels.look(host, os.uname().release, ask)["modules"]}


def problems(wish, driver, wanted, seen):
    """Messages. driver: version of the packages; wanted: kernels that the modules are for; seen: see look(). What cannot be read passes."""
    found = []
    libraries = seen["libraries"]
    if libraries and libraries[0] != driver:
        found.append("programs load the libraries of driver %s, and the packages are %s" % (libraries[0], driver))
    if not wish["kernel_modules"]:
        return found
    for module in seen["modules"]:
        if module["kernel"] not in wanted:
            continue
        if module["version"] not in (driver, None):
            found.append(
                "kernel %s would load module %s of driver %s, and the packages are %s"
                % (module["kernel"], module["path"], module["version"], driver)
            )
        elif module["flavor"] not in (wish["flavor"], None):
            found.append(
                "kernel %s would load %s, whose flavor is %s: expected %s"
                % (module["kernel"], module["path"], module["flavor"], wish["flavor"])
            )
    return found
