# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What of a wish this host can never make true, whatever its package sources offer. Each message says what to wish instead."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda, frameworks, names, tables
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.host import rule


def wished_branch(wish):
    return tables.branch_of(wish["version"]) if wish["version"] else wish["branch"]


def named(wish):
    """'version is 580.95.05' or 'branch is 580', as the user wrote it."""
    return "version is %s" % wish["version"] if wish["version"] else "branch is %s" % wish["branch"]


def problems(host, wish):
    """Messages, in the order in which they matter."""
    if not host["gpus"]:
        return ["This host has no NVIDIA GPU: there is nothing to resolve. For an image that is built elsewhere, give its gpu.models."]
    found = of_platform(host, wish)
    if wish["kernel_modules"]:
        found += of_flavor(host, wish)
    found += of_branch(host, wish) + of_cuda(host, wish)
    return found + (of_mig(host, wish) if wish["mig"] else [])


def of_platform(host, wish):
    if host["platform"] is None:
        return ["This host runs %s: expected one of %s." % (host["told_platform"], ", ".join(names.PLATFORMS))]
    if wish["source"] != "distribution":
        return []
    if not names.distribution_has(host["platform"]):
        return ["source is distribution: %s has no packages of NVIDIA's driver. Use source nvidia." % host["platform"]]
    if not wish["kernel_modules"]:
        return []
    if host["nvlsm"]:
        return [
            "source is distribution: %s needs NVLink's subnet manager (nvlsm), which %s does not have. Use source nvidia."
            % (host["gpus"][0]["label"], host["platform"])
        ]
    if host["nvswitch"] and names.fabric_manager(host["platform"], "distribution", 580) is None:
        return [
            "source is distribution: this host has NVSwitches, and %s has no fabric manager, without which CUDA does not start there. "
            "Use source nvidia." % host["platform"]
        ]
    return []


def of_flavor(host, wish):
    without = [gpu["label"] for gpu in host["gpus"] if rule(gpu)["open"] == "no"]
    required = [gpu["label"] for gpu in host["gpus"] if rule(gpu)["open"] == "required"]
    flavor, branch = wish["flavor"], wished_branch(wish)
    if without and required:
        return [
            "%s works with the proprietary kernel modules only, and %s with the open ones: no driver serves both. "
            "Put them into different hosts." % (", ".join(without), ", ".join(required))
        ]
    if flavor == "open" and without:
        return [
            "%s has no open kernel modules (they begin with Turing), flavor is open: use flavor proprietary or auto." % ", ".join(without)
        ]
    if flavor == "proprietary" and required:
        return ["%s needs open kernel modules, flavor is proprietary: use flavor open or auto." % ", ".join(required)]
    if branch and branch > tables.LAST_PROPRIETARY_BRANCH and (flavor == "proprietary" or without):
        return [
            "%s: branch %d is the last with proprietary kernel modules. Use flavor open where the GPU allows it, or branch %d or lower."
            % (named(wish), tables.LAST_PROPRIETARY_BRANCH, tables.LAST_PROPRIETARY_BRANCH)
        ]
    if branch and branch < tables.FIRST_OPEN_BRANCH and (flavor == "open" or required):
        return [
            "%s: branch %d is the first with open kernel modules. Use branch %d or higher, or flavor proprietary where the GPU allows it."
            % (named(wish), tables.FIRST_OPEN_BRANCH, tables.FIRST_OPEN_BRANCH)
        ]
    return []


def of_branch(host, wish):
    branch = wished_branch(wish)
    found = []
    for gpu in host["gpus"] if branch else []:
        known = rule(gpu)
        if known["last"] and branch > known["last"]:
            found.append(
                "%s: %d is the last branch that knows %s. Use branch %d or lower."
                % (named(wish), known["last"], gpu["label"], known["last"])
            )
        if known["first"] and branch < known["first"]:
            found.append(
                "%s: %d is the first branch that knows %s. Use branch %d or higher."
                % (named(wish), known["first"], gpu["label"], known["first"])
            )
    return found


def of_cuda(host, wish):
    found = []
    release = cuda.parse(wish["cuda"]) if wish["cuda"] else None
    for gpu in host["gpus"] if release else []:
        first, last = cuda.first_for(gpu), cuda.last_for(gpu)
        if first and release[:2] < first:
            found.append("cuda is %s: %s needs CUDA %d.%d. Use cuda %d.%d or higher." % ((wish["cuda"], gpu["label"]) + first + first))
        if last and release[0] > last:
            found.append("cuda is %s: %s works up to CUDA %d. Use cuda %d.x." % (wish["cuda"], gpu["label"], last, last))
    if not found and wish["framework"]:
        name, version = frameworks.parse(wish["framework"])
        builds = [one for one in frameworks.builds(name, version) if release is None or one[:2] == release[:2]]
        told = ["CUDA %s: %s" % (cuda.text(one), frameworks.problem(name, one, host["gpus"])) for one in builds]
        if all(frameworks.problem(name, one, host["gpus"]) for one in builds):
            found.append(
                "framework is %s: none of its builds serves this host (%s). Wish another release of %s."
                % (wish["framework"], "; ".join(told), name)
            )
    if not found and release:
        found += too_old_for_cuda(wish, release)
    return found


def too_old_for_cuda(wish, release):
    branch = wished_branch(wish)
    needed, why = cuda.minimum(release, wish["mode"])
    if not branch or branch >= tables.branch_of(needed):
        return []
    instead = ", or mode compatible" if wish["mode"] == "strict" and branch >= tables.CUDA_BRANCHES[release[0]] else ""
    return ["%s: %s. Use branch %d or higher%s, or an older cuda." % (named(wish), why, tables.branch_of(needed), instead)]


def of_mig(host, wish):
    found = []
    for gpu in host["gpus"]:
        if gpu["model"] in tables.WITHOUT_MIG or gpu["architecture"] not in tables.MIG_ARCHITECTURES + (None,):
            found.append(
                "mig is true: %s has no MIG (these have: %s). Set mig to false." % (gpu["label"], ", ".join(sorted(tables.MIG_DRIVERS)))
            )
            continue
        needed = tables.MIG_DRIVERS.get(gpu["model"])
        if needed and wish["version"] and versions.compare(wish["version"], needed) < 0:
            found.append(
                "mig is true: %s needs driver %s for it, version is %s. Wish that one or a newer." % (gpu["label"], needed, wish["version"])
            )
    return found
