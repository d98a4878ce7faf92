# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the running kernel has loaded: NVIDIA's module and its version, and nouveau, with whether it is kept from loading.

/proc/driver/nvidia/version: README of NVIDIA's Linux driver, chapter "The /proc/ File System Interface"; modprobe.d(5) for the order of its
folders; kernel parameters module_blacklist and modprobe.blacklist: https://docs.kernel.org/admin-guide/kernel-parameters.html, modprobe(8).
"""

from __future__ import annotations

import re

# A file in an earlier folder replaces one of the same name in a later one.
MODPROBE = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
PARAMETERS = ("module_blacklist", "modprobe.blacklist", "rd.driver.blacklist")
NVRM = re.compile(r"^NVRM version:\s*(.*)$", re.MULTILINE)


def parse_version(text):
    """Text of /proc/driver/nvidia/version -> {version, flavor}, None for what it does not say."""
    line = NVRM.search(text)
    said = line.group(1) if line else ""
    number = re.search(r"(?:^|\s)(\d+\.\d+(?:\.\d+)*)(?:\s|$)", said)
    return {
        "version": number.group(1) if number else None,
        "flavor": None if not said else "open" if "Open Kernel Module" in said else "proprietary",
    }


def loaded(host):
    """{version, flavor} of the loaded module, and whether one is: a module may be there without saying its version."""
    said = parse_version(host.text("/proc/driver/nvidia/version", 4096))
    own = host.text("/sys/module/nvidia/version", 256).strip()
    if said["version"] is None and re.match(r"^\d+(\.\d+)+$", own):
        said["version"] = own
    return dict(said, is_loaded=said["version"] is not None or said["flavor"] is not None or host.exists("/sys/module/nvidia/initstate"))


def module_names(text):
    """Names in the text of /proc/modules."""
    return {line.split(None, 1)[0] for line in text.splitlines() if line.strip()}


def nouveau(host):
    """{loaded, blocked, blocked_by: [file or kernel parameter]}"""
    by = blocking_files(host) + blocking_parameters(host.text("/proc/cmdline", 65536))
    is_loaded = host.exists("/sys/module/nouveau") or "nouveau" in module_names(host.text("/proc/modules"))
    return {"loaded": is_loaded, "blocked": bool(by), "blocked_by": by}


def blocking_files(host):
    """Paths of the modprobe configuration that keeps nouveau from being loaded."""
    seen, found = set(), []
    for folder in MODPROBE:
        if not host.is_folder(folder):
            continue
        for name in host.names(folder):
            if name.endswith(".conf") and name not in seen:
                seen.add(name)
                if blocks(host.text("%s/%s" % (folder, name), 1024 * 1024)):
                    found.append("%s/%s" % (folder, name))
    return found


def blocks(text):
    """Whether a modprobe configuration keeps nouveau out: blacklisted, or installed by a program that does nothing."""
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split("#")[0].split()
        if words[:2] == ["blacklist", "nouveau"]:
            return True
        if words[:2] == ["install", "nouveau"] and words[2:3] and words[2].rpartition("/")[2] in ("false", "true", ":"):
            return True
    return False


def blocking_parameters(cmdline):
    """Those kernel parameters that keep nouveau out."""
    found = []
    for word in cmdline.split():
        name, sign, value = word.partition("=")
        if sign and name in PARAMETERS and "nouveau" in value.split(","):
            found.append("kernel parameter " + word)
    return found
