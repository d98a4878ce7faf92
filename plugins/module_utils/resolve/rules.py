# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Why one driver that is offered cannot be this host's: every rule is a function that gives a reason or none."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import candidates, cuda, names, tables
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.host import rule


def reasons(driver, flavor, host, wish, release, offered):
    """[reason] against a driver ('580.95.05') with these modules (open, proprietary, None for none); release: see cuda.parse, or None."""
    found = wished(driver, flavor, wish) + known_by(driver, host)
    if flavor:
        found += modules(driver, flavor, host)
    found += runs_cuda(driver, release, wish) + partitions(driver, host, wish)
    return found + missing(driver, flavor, host, wish, offered)


def wished(driver, flavor, wish):
    """The wish itself: an exact version or branch stands above the policy, since it was chosen by hand."""
    branch = tables.branch_of(driver)
    found = []
    if wish["flavor"] != "auto" and flavor and flavor != wish["flavor"]:
        found.append("flavor %s is wished" % wish["flavor"])
    if wish["version"]:
        return found + (["version %s is wished" % wish["version"]] if driver != wish["version"] else [])
    if wish["branch"]:
        return found + (["branch %d is wished" % wish["branch"]] if branch != wish["branch"] else [])
    # A distribution has one branch at a time: its own choice is its policy.
    if wish["source"] != "distribution" and tables.branch(branch).designation not in tables.DESIGNATIONS[wish["policy"]]:
        what = tables.WORDS.get(tables.branch(branch).designation, "of no designation that is known here")
        found.append("branch %d is %s, and policy is %s" % (branch, what, wish["policy"]))
    return found


def known_by(driver, host):
    """The GPUs' own first and last branches."""
    branch, found = tables.branch_of(driver), []
    for gpu in host["gpus"]:
        known = rule(gpu)
        if known["last"] and branch > known["last"]:
            found.append("%d is the last branch that knows %s" % (known["last"], gpu["label"]))
        if known["first"] and branch < known["first"]:
            found.append("%d is the first branch that knows %s" % (known["first"], gpu["label"]))
    return found


def modules(driver, flavor, host):
    """Which kernel modules the GPUs take, which this driver has, and which are known not to build."""
    branch, found = tables.branch_of(driver), []
    for gpu in host["gpus"]:
        if {"open": "no", "proprietary": "required"}[flavor] == rule(gpu)["open"]:
            found.append("%s does not work with the %s kernel modules" % (gpu["label"], flavor))
    if flavor == "open" and branch < tables.FIRST_OPEN_BRANCH:
        found.append("open kernel modules begin with branch %d" % tables.FIRST_OPEN_BRANCH)
    if flavor == "proprietary" and branch > tables.LAST_PROPRIETARY_BRANCH:
        found.append("proprietary kernel modules end with branch %d" % tables.LAST_PROPRIETARY_BRANCH)
    bad = tables.unbuildable(host["platform"], flavor, driver, host["kernels"])
    return found + ["it does not build for kernel %s: %s" % pair for pair in bad]


def runs_cuda(driver, release, wish):
    if release is None:
        return []
    needed, why = cuda.minimum(release, wish["mode"])
    return [why] if versions.compare(driver, needed) < 0 else []


def partitions(driver, host, wish):
    """MIG's own first drivers."""
    needs = [(gpu["label"], tables.MIG_DRIVERS.get(gpu["model"])) for gpu in host["gpus"]] if wish["mig"] else []
    return ["%s needs driver %s for MIG" % need for need in needs if need[1] and versions.compare(driver, need[1]) < 0]


def with_fabric(host, wish):
    """Whether CUDA wants a fabric manager here. It works on the modules' devices: where they come from elsewhere, so does it."""
    return wish["kernel_modules"] and (host["nvswitch"] or host["nvlsm"])


def packages(driver, flavor, host, wish):
    """Names of all packages that have to be of exactly this driver's version."""
    branch = tables.branch_of(driver)
    found = names.driver(host["platform"], wish["source"], branch, flavor)
    fabric = names.fabric_manager(host["platform"], wish["source"], branch) if with_fabric(host, wish) else None
    return found + ([fabric] if fabric else [])


def missing(driver, flavor, host, wish, offered):
    """Packages that there is not, or not of this driver: a driver is only as good as all of them together."""
    found = []
    for name in packages(driver, flavor, host, wish):
        if candidates.version_of(offered, name, driver) is None:
            there = candidates.upstreams(offered, name)
            found.append("%s is not offered in this version (offered: %s)" % (name, ", ".join(there[:4]) or "none"))
    return found
