# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The kernels of a host, their headers, and the NVIDIA modules that are built for each.

Places: DKMS installs to updates/dkms (Debian, Ubuntu) or extra (Red Hat), Red Hat links to modules of another kernel from weak-updates,
Ubuntu's prebuilt modules are in kernel/nvidia-<branch>, NVIDIA's own installer writes to kernel/drivers/video. Debian names the file
nvidia-current.ko. /var/lib/dkms/NAME/VERSION/KERNEL/ARCH/module is DKMS's own copy (dkms(8)).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import modinfo

MODULES, DKMS = ("/lib/modules", "/usr/lib/modules"), "/var/lib/dkms"
FOLDERS = ("updates", "extra", "weak-updates", "misc", "kernel/drivers/video", "kernel/drivers/char/drm")
FILE = re.compile(r"^nvidia(-current(-open)?|-open|-tesla(-\d+)?(-open)?|-legacy-\d+xx)?\.ko(\.(xz|gz|zst))?$")
DKMS_NAME = re.compile(r"^nvidia(-open|-current(-open)?|-tesla.*|-legacy.*|-srv.*|-\d.*)?$")
VERSION = re.compile(r"^\d+\.\d+(\.\d+)*$")
# What a kernel's own package brings, and a folder that only DKMS left behind does not have.
IMAGES = ("/boot/vmlinuz-%s", "/boot/vmlinux-%s", "/boot/kernel-%s", "/boot/Image-%s")
OWN = ("vmlinuz", "modules.builtin")


def order(release):
    """Sort key of kernel releases: numbers count as numbers."""
    return [(1, int(part), "") if re.match("[0-9]", part) else (0, 0, part) for part in re.findall(r"[0-9]+|[^0-9.+~_-]+", release)]


def place(host):
    """Where this host keeps its modules."""
    return next((path for path in MODULES if host.is_folder(path)), MODULES[0])


def installed(host, folders):
    """Those of the kernels' folders whose kernel is there, oldest first."""
    base = place(host)
    there = [
        name
        for name in folders
        if any(host.exists(image % name) for image in IMAGES) or any(host.exists("%s/%s/%s" % (base, name, own)) for own in OWN)
    ]
    return sorted(there, key=order)


def look(host, running, ask):
    """{kernel: {…}, modules: [{kernel, version, flavor, path}]}; ``ask(path)`` is what modinfo prints of a file, {} when it cannot say."""
    base = place(host)
    folders = [name for name in host.names(base) if host.is_folder("%s/%s" % (base, name))]
    kernels = installed(host, folders)
    with_headers = sorted((name for name in folders if host.is_folder("%s/%s/build" % (base, name))), key=order)
    modules = [found for name in sorted(folders, key=order) for found in [module_of(host, base, name, ask)] if found]
    return {
        "kernel": {
            "running": running,
            "headers": running in with_headers,
            "headers_for": with_headers,
            "newest_installed": kernels[-1] if kernels else None,
            "installed": kernels,
        },
        "modules": modules,
    }


def module_of(host, base, kernel, ask):
    """{kernel, version, flavor, path} of the NVIDIA module that this kernel would load; None without one."""
    for path in candidates(host, base, kernel):
        info = describe(host, path, ask)
        version = info.get("version")
        if version is None or not VERSION.match(version):
            version = dkms_version(host, kernel)
        return {"kernel": kernel, "version": version, "flavor": modinfo.flavor(info.get("license")), "path": path}
    return None


def candidates(host, base, kernel):
    """Files of the module, those first that depmod prefers: updates comes before the rest (depmod.d(5))."""
    top = "%s/%s" % (base, kernel)
    prebuilt = ["kernel/" + name for name in host.names(top + "/kernel") if name.startswith("nvidia")]
    for folder in list(FOLDERS) + prebuilt:
        path = "%s/%s" % (top, folder)
        if host.is_folder(path):
            for file in host.walk(path):
                if FILE.match(file.rpartition("/")[2]):
                    yield file


def describe(host, path, ask):
    """{key: value} of a module's .modinfo. A compressed one is read by modinfo, which is quicker at it than Python."""
    if path.endswith(".ko"):
        return modinfo.read(lambda start, count: host.data(path, count, start))
    return ask(host.path(path))


def dkms_version(host, kernel):
    """The version that DKMS built for this kernel; None when it did not, or built several."""
    found = set()
    for name in host.names(DKMS) if host.is_folder(DKMS) else []:
        if DKMS_NAME.match(name):
            for version in host.names("%s/%s" % (DKMS, name)):
                if VERSION.match(version) and host.is_folder("%s/%s/%s/%s" % (DKMS, name, version, kernel)):
                    found.add(version)
    return found.pop() if len(found) == 1 else None


def dkms_registered(host):
    """[version] of NVIDIA sources that DKMS knows, built or not."""
    found = set()
    for name in host.names(DKMS) if host.is_folder(DKMS) else []:
        if DKMS_NAME.match(name):
            found.update(version for version in host.names("%s/%s" % (DKMS, name)) if VERSION.match(version))
    return sorted(found, key=order)
