# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Packages that matter to GPUs, from dpkg's own files or one call of rpm: the driver's, and the container engines'.

Names: NVIDIA's repositories for Debian, Ubuntu and Red Hat, and those distributions' own.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg

DPKG = "/var/lib/dpkg/status"
RPM = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
DRIVER = re.compile(
    r"^(nvidia|libnvidia|libcuda1$|libcudadebugger1$|libnvcuvid|libnvoptix|cuda-drivers|firmware-nvidia|xserver-xorg-video-nvidia|kmod-nvidia"
    r"|linux-(modules|objects|signatures)-nvidia|dkms-nvidia)"
)
TOOLKIT = re.compile(
    r"^(nvidia-(container|docker)|libnvidia-container|nvidia-cuda-|nvidia-driver-pinning|nvidia-settings|nvidia-installer)"
)
ENGINES = {
    "docker": ("docker-ce", "docker.io", "moby-engine", "docker-engine", "docker"),
    "containerd": ("containerd.io", "containerd", "moby-containerd"),
    "podman": ("podman",),
    "nvidia_toolkit": ("nvidia-container-toolkit-base", "nvidia-container-toolkit"),
}
PROGRAMS = {"docker": "dockerd", "containerd": "containerd", "podman": "podman", "nvidia_toolkit": "nvidia-ctk"}
# What one rpm call is asked for.
RPM_PATTERNS = ("*nvidia*", "cuda-drivers*", "docker*", "moby-*", "containerd*", "podman")
# Kernel module packages by flavor; a name ends in a branch on some distributions.
OPEN = re.compile(r"^(nvidia-kernel-open-dkms|nvidia-open(-kernel-dkms|-\d+)?|nvidia-dkms(-\d+(-server)?)?-open|kmod-nvidia-open.*)$")
PROPRIETARY = re.compile(
    r"^(nvidia-kernel-dkms|nvidia-dkms(-\d+(-server)?)?|cuda-drivers(-\d+)?|kmod-nvidia-(latest-dkms|\d.*)|dkms-nvidia)$"
)
# Those whose version is the user space's, most telling first.
USER_SPACE = re.compile(
    r"^(libcuda1|libnvidia-compute(-\d+(-server)?)?|nvidia-driver-cuda(-libs)?|nvidia-driver-libs|libnvidia-ml1?|nvidia-smi|nvidia-utils.*)$"
)


def read(host, ask_rpm):
    """{name: {version, status}} of what is or was half installed; ``ask_rpm(patterns)`` gives 'name version' lines where rpm rules."""
    text = host.text(DPKG, 64 * 1024 * 1024)
    if text:
        found = dpkg.parse_status(text)
        return {name: found[name] for name in found if ":" not in name and found[name]["version"] is not None}
    if any(host.is_folder(path) for path in RPM):
        return parse_rpm(ask_rpm(RPM_PATTERNS))
    return {}


def parse_rpm(text):
    """Lines 'name version-release' -> as read()."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2:
            found[words[0]] = {"version": words[1], "status": "installed"}
    return found


def upstream(version):
    """'5:27.3.1-1~debian.12' -> '27.3.1'; None for what begins with no number."""
    found = re.match(r"^(?:\d+:)?(\d+(?:\.\d+)*)", version or "")
    return found.group(1) if found else None


def driver(packages):
    """Those of the packages that are the driver's: {name: version}, and [name (status)] of those not wholly installed."""
    whole, half = {}, []
    for name in sorted(packages):
        if DRIVER.match(name) and not TOOLKIT.match(name):
            if packages[name]["status"] == "installed":
                whole[name] = packages[name]["version"]
            else:
                half.append("%s (%s)" % (name, packages[name]["status"]))
    return whole, half


def flavor(names):
    """open | proprietary by the kernel module packages, None for neither or both."""
    found = {"open" for name in names if OPEN.match(name)} | {"proprietary" for name in names if PROPRIETARY.match(name)}
    return found.pop() if len(found) == 1 else None


def source(whole, half, version):
    """Where a driver is from: packages, files (as NVIDIA's installer leaves them), or None. whole, half: see driver().

    What dpkg has not finished with is of packages, too: a change that was killed goes on from there.
    """
    names = list(whole) + [one.split(" ", 1)[0] for one in half]
    return "packages" if any(USER_SPACE.match(name) for name in names) else "files" if version else None


def user_space(packages):
    """Upstream version of the user space packages; None without one."""
    versions = [upstream(packages[name]) for name in sorted(packages) if USER_SPACE.match(name)]
    return versions[0] if versions else None


def engines(packages, find, ask):
    """{engine: version | 'unknown' | None}: by package, or by what a program from elsewhere says.

    ``find(name)`` is a program's path, or None. ``ask(path)`` is the first line that it prints for its version.
    """
    found = {}
    for engine, names in ENGINES.items():
        versions = [packages[name]["version"] for name in names if packages.get(name, {}).get("status") == "installed"]
        if versions:
            found[engine] = upstream(versions[0]) or "unknown"
            continue
        path = find(PROGRAMS[engine])
        number = re.search(r"\bv?(\d+\.\d+(\.\d+)*)", ask(path)) if path else None
        found[engine] = number.group(1) if number else "unknown" if path else None
    return found
