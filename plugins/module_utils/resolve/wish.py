# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is wished of a host's software, with its defaults, and what of a wish is no wish at all."""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda, frameworks, names, newer_kernel, tables

COMPONENTS = ("container_toolkit", "cuda_toolkit", "dcgm")
DEFAULTS = {
    "cuda": None,
    "framework": None,
    "branch": None,
    "version": None,
    "policy": "production",
    "mode": "strict",
    "flavor": "auto",
    "source": "nvidia",
    "mig": False,
    "kernel_modules": True,
    "kernels": ["running"],
    "kernel_upgrade": "never",
    "components": None,
    "container_toolkit": None,
}
CHOICES = {
    "policy": tuple(tables.DESIGNATIONS),
    "mode": ("strict", "compatible"),
    "flavor": ("auto", "open", "proprietary"),
    "source": names.SOURCES,
    "kernel_upgrade": newer_kernel.POLICIES,
}
TODAY = re.compile(r"^\d{4}-(0[1-9]|1[0-2])-\d{2}$")


def of(given):
    """The wish with defaults for what is left out, or given as nothing."""
    return dict(DEFAULTS, **{key: value for key, value in given.items() if value is not None and value != ""})


def problems(given, today):
    """Messages about values that no host could make true."""
    if not isinstance(given, dict):
        return ["wish is %r: expected a dict, as {cuda: '12.8'}." % (given,)]
    told = "wish.%s is no wish: expected one of " + ", ".join(sorted(DEFAULTS)) + "."
    found = [told % key for key in sorted(given, key=str) if key not in DEFAULTS]
    wish = of(given)
    for key, allowed in CHOICES.items():
        if wish[key] not in allowed:
            found.append("%s is %r: expected %s." % (key, wish[key], " or ".join(allowed)))
    for key in ("mig", "kernel_modules"):
        if not isinstance(wish[key], bool):
            found.append("%s is %r: expected true or false." % (key, wish[key]))
    for key in ("kernels", "components"):
        if wish[key] is not None and not (isinstance(wish[key], (list, tuple)) and all(isinstance(one, str) for one in wish[key])):
            found.append("%s is %r: expected a list of names." % (key, wish[key]))
        elif key == "components":
            found += ["components has %r: expected %s." % (one, ", ".join(COMPONENTS)) for one in wish[key] or [] if one not in COMPONENTS]
    if not TODAY.match(str(today)):
        found.append("today is %r: expected a day, as 2026-11-27." % (today,))
    return found + driver_problems(wish) + cuda_problems(wish)


def driver_problems(wish):
    """About branch and version."""
    found = []
    branch, version = wish["branch"], wish["version"]
    if branch is not None and not (isinstance(branch, int) and 100 <= branch <= 999):
        found.append("branch is %r: expected the number before the first point of a driver's version, as 580." % (branch,))
        branch = None
    if version is not None and not versions.is_driver(str(version)):
        found.append("version is %r: expected a driver's number, as 580.95.05. Leave it out for the newest." % (version,))
    elif version is not None and branch and tables.branch_of(version) != branch:
        found.append("version is %s: it is not of branch %d. Leave one of the two out." % (version, branch))
    return found


def cuda_problems(wish):
    """About CUDA and frameworks."""
    found = []
    release = None
    if wish["cuda"] is not None:
        release = cuda.parse(wish["cuda"])
        if release is None or (release[0], release[1], release[2] or 0) not in tables.CUDA_DRIVERS:
            found.append("cuda is %s: no release that is known here (%s). Wish one of them, as 12.8." % (wish["cuda"], cuda.known()))
            release = None
    if wish["framework"] is None:
        return found
    parsed = frameworks.parse(wish["framework"])
    if parsed is None or parsed[0] not in frameworks.BUILDS:
        form = "expected %s with a release, as torch==2.9." % ", ".join(sorted(frameworks.BUILDS))
        return found + ["framework is %s: %s" % (wish["framework"], form)]
    builds = frameworks.builds(*parsed)
    if not builds:
        found.append(
            "framework is %s: the CUDA of its builds is not known here (known: %s %s). Wish the CUDA itself, with cuda."
            % (wish["framework"], parsed[0], frameworks.known(parsed[0]))
        )
    elif release and release[:2] not in [one[:2] for one in builds]:
        there = ", ".join(cuda.text(one) for one in builds)
        found.append(
            "cuda is %s: %s has no build for it (builds: %s). Leave cuda out, or wish one of these."
            % (wish["cuda"], wish["framework"], there)
        )
    return found
