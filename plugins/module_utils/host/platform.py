# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which platform a host is, in the words of Ansible's own facts (distribution, os_family, architecture), and as what it runs.

os-release: https://www.freedesktop.org/software/systemd/man/latest/os-release.html
"""

from __future__ import annotations

import os
import shlex

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

# ID of os-release -> (ansible_facts['distribution'], ansible_facts['os_family']), as ansible-core's setup module has them.
DISTRIBUTIONS = {
    "debian": ("Debian", "Debian"),
    "ubuntu": ("Ubuntu", "Debian"),
    "rhel": ("RedHat", "RedHat"),
    "rocky": ("Rocky", "RedHat"),
    "almalinux": ("AlmaLinux", "RedHat"),
    "centos": ("CentOS", "RedHat"),
    "ol": ("OracleLinux", "RedHat"),
    "fedora": ("Fedora", "RedHat"),
    "amzn": ("Amazon", "RedHat"),
}
FAMILIES = (("debian", "Debian"), ("ubuntu", "Debian"), ("rhel", "RedHat"), ("fedora", "RedHat"))
DEB_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "i686": "i386", "armv7l": "armhf"}
# What systemd-detect-virt(1) calls containers.
CONTAINERS = frozenset("openvz lxc lxc-libvirt systemd-nspawn docker podman rkt wsl proot pouch container-other".split())


def parse_os_release(text):
    """{key: value} of /etc/os-release; a line that is none is left out."""
    found = {}
    for line in text.splitlines():
        key, sign, value = line.strip().partition("=")
        if not sign or key.startswith("#"):
            continue
        try:
            found[key] = " ".join(shlex.split(value))
        except ValueError:
            continue
    return found


def distribution(release):
    """Fields of os-release -> {distribution, distribution_major_version, distribution_release, os_family, platform_names}."""
    identity = release.get("ID", "").lower()
    name, family = DISTRIBUTIONS.get(identity, (release.get("NAME") or "Linux", None))
    if family is None:
        like = release.get("ID_LIKE", "").lower().split()
        family = next((known for word, known in FAMILIES if word in like), name)
    # Debian's unreleased suites have no VERSION_ID.
    major = release.get("VERSION_ID", "").split(".")[0]
    return {
        "distribution": name,
        "distribution_major_version": major,
        "distribution_release": release.get("VERSION_CODENAME", ""),
        "os_family": family,
        "platform_names": ["%s-%s" % (name, major), "%s-family-%s" % (family, major)],
    }


def architectures(machine):
    """{architecture, deb_architecture} of what uname says."""
    return {"architecture": machine, "deb_architecture": DEB_ARCHITECTURES.get(machine, machine)}


def is_container(virtualization):
    """Whether this word of systemd-detect-virt stands for a container, whose kernel and clock belong to the machine outside."""
    return virtualization in CONTAINERS


def memory_mib(meminfo):
    """MiB of RAM by the text of /proc/meminfo; 0 when it does not say."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def look():
    """All of the above for this host, but for its virtualization, which a program has to be asked for."""
    system = os.uname()
    found = distribution(parse_os_release(read("/etc/os-release") or read("/usr/lib/os-release")))
    found.update(architectures(system.machine))
    found.update(kernel=system.release, memory_mib=memory_mib(read("/proc/meminfo")), cpus=os.cpu_count() or 1)
    return found
