# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is installed of AWS's EFA software, by the list that its installer leaves, and whether those packages are still whole.

efa_installer.sh, write_package_file: lines that begin with # say the version, the rest names packages, NAME_VERSION_ARCHITECTURE of dpkg or
NAME-VERSION-RELEASE.ARCHITECTURE of rpm.
"""

from __future__ import annotations

import re

FILE = "/opt/amazon/efa_installed_packages"
VERSION = re.compile(r"^#\s*EFA installer version:\s*(\S+)", re.MULTILINE)
RPM = re.compile(r"^(.+)-[^-]+-[^-]+\.(x86_64|aarch64|noarch)$")
MPI = {"openmpi4": "openmpi40", "openmpi5": "openmpi50"}


def package(entry):
    """Name of the package that an entry of the list means."""
    match = RPM.match(entry)
    return match.group(1) if match else entry.partition("_")[0]


def parse(text):
    """{version, packages: [name]} of the list; version is None without one."""
    match = VERSION.search(text)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {"version": match.group(1) if match else None, "packages": [package(entry) for line in lines for entry in line.split()]}


def parts(packages):
    """{kernel_module, libfabric, limits, mpi: [openmpi4, openmpi5]}: what the packages make up, in the words of the options."""
    return {
        "kernel_module": "efa" in packages,
        "libfabric": any(name.startswith("libfabric") for name in packages),
        "limits": "efa-config" in packages,
        "mpi": [word for word, start in sorted(MPI.items()) if any(name.startswith(start) for name in packages)],
    }


def not_whole(packages, known):
    """Those of the packages that are missing or half installed. known: {name: {version, broken}} as dpkg.parse_status has it."""
    return sorted({name for name in packages if known.get(name, {}).get("version") is None or known[name].get("broken")})
