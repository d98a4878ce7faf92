# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What NVIDIA's apt repository offers, and the files that make it known to a host. Formats: deb822(5), apt_preferences(5)."""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import recorded
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names

KEYRING = "/etc/apt/keyrings/mlinfra-nvidia.gpg"
SOURCE = "/etc/apt/sources.list.d/mlinfra-nvidia.sources"
PREFERENCES = recorded.PREFERENCES
# Of a repository that is the user's own (local.py): role cuda_toolkit shares the files above, and goes on with NVIDIA's.
LOCAL_KEYRING = "/etc/apt/keyrings/mlinfra-nvidia-local.gpg"
LOCAL_SOURCE = "/etc/apt/sources.list.d/mlinfra-nvidia-local.sources"
# Role cuda_toolkit's own, where the driver comes from another address of NVIDIA's repository.
TOOLKIT_KEYRING = "/etc/apt/keyrings/mlinfra-nvidia-toolkit.gpg"
TOOLKIT_SOURCE = "/etc/apt/sources.list.d/mlinfra-nvidia-toolkit.sources"
# There when role cuda_toolkit has NVIDIA's repository, too.
TOOLKIT_PREFERENCES = "/etc/apt/preferences.d/mlinfra-nvidia-toolkit"
# NVIDIA's packages nvidia-driver-pinning-BRANCH and -VERSION bring it.
PINNING = "/etc/apt/preferences.d/nvidia-driver-pinning"
# As NVIDIA's own cuda-<distribution>.pin has it.
REPOSITORY_PRIORITY = 600
# Above the 1001 of the repository's own pinning packages, which may know the branch only.
VERSION_PRIORITY = 1002
# NVIDIA's repository of drivers has the container toolkit, too: that one has a repository of its own, which shall count where it is known.
OTHERS_PRIORITY = 100
FIELD = re.compile(r"^(Package|Version|Origin|Label|Source): *(.*)$", re.MULTILINE)


def offered(text):
    """Text of a Packages file -> {name: [versions]}."""
    found = {}
    name = None
    for match in FIELD.finditer(text):
        if match.group(1) == "Package":
            name = match.group(2)
        elif match.group(1) == "Version" and name:
            found.setdefault(name, []).append(match.group(2))
    return found


def release_of(text):
    """{Origin, Label} of a Release file, as far as it says."""
    return {match.group(1): match.group(2).strip() for match in FIELD.finditer(text) if match.group(1) in ("Origin", "Label")}


def chosen(available, names, branch, exact, source="nvidia"):
    """({name: version}, [messages]): the newest driver that fits and that all of ``names`` are there of. available: see offered."""
    fitting = {name: [one for one in available.get(name, []) if versions.fits(one, branch, exact)] for name in names}
    common = set.intersection(*({versions.upstream(one) for one in fitting[name]} for name in names))
    if not common:
        return {}, unavailable(available, fitting, branch, exact, source)
    driver = versions.newest(common)
    return {name: versions.newest([one for one in fitting[name] if versions.upstream(one) == driver]) for name in names}, []


def unavailable(available, fitting, branch, exact, source):
    """Messages about packages that are not there as wished."""
    where = {
        "nvidia": "NVIDIA's repository has",
        "local": "the local repository has",
        "distribution": "the distribution's sources have",
    }[source]
    help_ = {
        "nvidia": "Choose one that it has, or another nvidia_driver_source.",
        "local": "Choose one that it has, or another nvidia_driver_local_repository.",
        "distribution": "Choose one that they have, or another nvidia_driver_source.",
    }[source]
    absent = {
        "distribution": "Debian has them in contrib, non-free and non-free-firmware: add these components to the host's sources, "
        "or choose another nvidia_driver_source."
    }.get(source, help_)
    wishes = (("version", exact), ("branch", branch), ("source", source))
    setting = next("nvidia_driver_%s is %s" % wish for wish in wishes if wish[1])
    by_offer = {}
    for name in [name for name, there in fitting.items() if not there]:
        has = sorted({versions.upstream(one) for one in available.get(name, [])}, key=versions.kernel_key)
        by_offer.setdefault(", ".join(has), []).append(name)
    found = [
        "%s: %s no such %s (there is: %s). %s" % (setting, where, ", ".join(names), has or "none", help_ if has else absent)
        for has, names in by_offer.items()
    ]
    return found or ["%s: %s no version that all of %s are there of. %s" % (setting, where, ", ".join(fitting), help_)]


def pinning(available, branch, exact):
    """Name of the repository's own package that pins the driver, the one for the exact version first; None where there is none."""
    names = ["nvidia-driver-pinning-%s" % part for part in (exact, branch) if part]
    return next((name for name in names if name in available), None)


def newest_of(available, names, where="NVIDIA's repository has"):
    """({name: version}, [messages]) of packages with versions of their own. where: who has them or not, in words."""
    found = {name: versions.newest(available.get(name, [])) for name in names}
    told = "%s is needed on this host, and %s none. Nothing was changed. Use a mirror that has it."
    return {name: version for name, version in found.items() if version}, [told % (name, where) for name in names if not found[name]]


def one_driver(available, exact):
    """{name: version} of every package that the repository has for driver ``exact``."""
    found = {}
    for name, there in available.items():
        version = versions.newest([one for one in there if versions.upstream(one) == exact])
        if version:
            found[name] = version
    return found


def source_text(url, keyring=KEYRING, suites=("/",)):
    """A flat repository, as NVIDIA's are, unless a suite and its components are named."""
    what = "Suites: %s\n" % suites[0] + ("Components: %s\n" % " ".join(suites[1:]) if suites[1:] else "")
    return "# Written by role mlinfra.hosts.nvidia_driver.\nTypes: deb\nURIs: %s\n%sSigned-By: %s\n" % (url, what, keyring)


def own_files(wish):
    """(source, keyring) that a wish's repository is made known with."""
    return (LOCAL_SOURCE, LOCAL_KEYRING) if wish["source"] == "local" else (SOURCE, KEYRING)


def preferences_text(release, pins):
    """The repository before the distribution's packages of the same names, and each of ``pins`` ({name: version}) at its version."""
    named = [(letter, release.get(field)) for letter, field in (("o", "Origin"), ("l", "Label"))]
    parts = ",".join("%s=%s" % (letter, value) for letter, value in named if value)
    stanzas = ["# Written by role mlinfra.hosts.nvidia_driver.\n"]
    if parts:
        others = " ".join(name for name in names.CONTAINER_TOOLKIT if name not in pins)
        if others:
            stanzas.append("Package: %s\nPin: release %s\nPin-Priority: %d\n" % (others, parts, OTHERS_PRIORITY))
        stanzas.append("Package: *\nPin: release %s\nPin-Priority: %d\n" % (parts, REPOSITORY_PRIORITY))
    by_version = {}
    for name in sorted(pins):
        by_version.setdefault(pins[name], []).append(name)
    for version in sorted(by_version):
        stanzas.append("Package: %s\nPin: version %s\nPin-Priority: %d\n" % (" ".join(by_version[version]), version, VERSION_PRIORITY))
    return "\n".join(stanzas)
