# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What DKMS has built of NVIDIA's modules, which kernels they can be built for, and why a build failed. Source: dkms(8)."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

TREE = "/var/lib/dkms"
MODULES = "/lib/modules"
# Below a kernel's folder: Debian's and Ubuntu's, Red Hat's (dkms, override_dest_module_location).
PLACES = ("updates/dkms", "extra")
LOG_FOR = re.compile(r"make\.log for (\S+?)[-/](\d+\.[\d.]+) for kernel (\S+)")
BAD_KERNEL = re.compile(r"(?:module build on|build of module[^\n]* for|Building for) kernel:? (\S+)|^Building for (\S+)$", re.MULTILINE)
TELLING = re.compile(r"\berror: |\*\*\*|undefined!|Error!")
# Commands as the build echoes them, which are longer than anything that it says itself.
COMMAND = re.compile(r"^(#|-+$)|^.{300}")


def kernels_with_headers(root=MODULES):
    """Kernel releases whose headers are here, oldest first."""
    found = [os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(root, "*", "build")) if os.path.isdir(path)]
    return sorted(found, key=versions.kernel_key)


def kernels_installed(boot="/boot"):
    """Kernel releases that the boot loader can start, oldest first."""
    found = [os.path.basename(path)[len("vmlinuz-") :] for path in glob.glob(os.path.join(boot, "vmlinuz-*"))]
    # Red Hat's rescue image is no release.
    found = [kernel for kernel in found if not kernel.startswith("0-rescue-")]
    return sorted(found, key=versions.kernel_key)


def sources(driver, tree=TREE):
    """Names that DKMS knows the wished driver by, as nvidia-current or nvidia."""
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(tree, "nvidia*", driver)))


def built(driver, tree=TREE, modules=MODULES):
    """{kernel: [files]} of what is built of this driver and installed beside the kernel."""
    found = {}
    for folder in glob.glob(os.path.join(tree, "nvidia*", driver, "*", "*", "module")):
        kernel = os.path.basename(os.path.dirname(os.path.dirname(folder)))
        made = [os.path.basename(path) for path in glob.glob(os.path.join(folder, "*.ko*"))]
        here = sorted(path for place in PLACES for path in glob.glob(os.path.join(modules, kernel, place, "nvidia*.ko*")))
        if made and len(here) >= len(made):
            found[kernel] = here
    return found


def resolve(wished, running, installed, with_headers):
    """([kernel releases], [messages]) for the words and names of nvidia_driver_kernels, each once, in the order of the wish."""
    words = {"running": [running], "newest-installed": installed[-1:], "installed-headers": with_headers}
    found = []
    for name in wished:
        found += [kernel for kernel in words.get(name, [name]) if kernel not in found]
    if found:
        return found, []
    return [], [
        "nvidia_driver_kernels is %s: that names no kernel of this host. Install its headers first, or name the kernels to build for."
        % (", ".join(wished) or "empty")
    ]


def newest_log(since, tree=TREE):
    """Text of the build log that was written last, after ``since`` (seconds); empty when there is none."""
    places = (("*", "*", "build"), ("*", "*", "*", "*", "log"))
    found = [path for place in places for path in glob.glob(os.path.join(tree, *(place + ("make.log",))))]
    found = [path for path in found if os.path.getmtime(path) >= since]
    return read(max(found, key=os.path.getmtime)) if found else ""


def failed(log, output):
    """{driver, kernel} of a failed build, as far as the build log or apt's output tell; values may be None."""
    match = LOG_FOR.search(log)
    if match:
        return {"driver": "%s %s" % (match.group(1), match.group(2)), "kernel": match.group(3)}
    kernels = [one or other for one, other in BAD_KERNEL.findall(output)]
    return {"driver": None, "kernel": kernels[-1] if kernels else None}


def excerpt(text, most=12):
    """The lines that tell why, the first ones of them, and the last lines."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not COMMAND.search(line)]
    telling = [line for line in lines[:-4] if TELLING.search(line)][: most - 4]
    return telling + lines[-4:]
