# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Resolves the software of a GPU host: from what the sources offer, the one set of versions that fits, or why there is none.

A pure function. A framework's newest CUDA build comes first, then the newest toolkit of that CUDA, then the newest driver; with policies
production and lts a branch that is supported comes before one past its end of life. Of one driver the open modules come first, as NVIDIA
advises. The order of the input means nothing, and the clock is not read: ``today`` only decides what is past its end of life.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import (
    candidates,
    conflicts,
    cuda,
    extras,
    frameworks,
    kernels,
    names,
    pins,
    rules,
    tables,
)  # fmt: skip
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import host as hosts
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import wish as wishes

MOST_TOLD = 6


def resolve(gpu, platform, given, offered, today):
    """{problems, rejected, warnings, pins, packages}; with problems, pins is None and packages is empty.

    gpu, platform: as the facts mlinfra_gpu and mlinfra_platform; given: the wish, see wish.DEFAULTS; offered: {package: [versions]};
    today: 'YYYY-MM-DD'. rejected: [{driver, flavor, cuda, reason}] of every driver that is offered and was not chosen.
    """
    told = hosts.problems(gpu, platform) + candidates.problems(offered) + wishes.problems(given, today)
    if told:
        return refused(told)
    host, wish = hosts.of(gpu, platform), wishes.of(given)
    told = conflicts.problems(host, wish)
    if told:
        return refused(told)
    found_kernels, packages, warnings = [], {}, []
    if wish["kernel_modules"]:
        found_kernels, packages, told, warnings = kernels.resolve(host, wish, offered)
    host["kernels"] = [one["release"] for one in found_kernels]
    if wish["kernel_modules"] and host["nvlsm"]:
        managers, more = extras.subnet_manager(offered)
        packages.update(managers)
        told += more
    chosen, rejected = choose(host, wish, offered, today)
    if chosen is None:
        told += nothing_fits(host, wish, rejected)
        return refused(told, rejected)
    for found, problems, notices in (
        extras.container_toolkit(host, wish, offered),
        extras.dcgm(chosen["driver"], host, wish, offered),
        extras.persistence(host, wish, offered, chosen["driver"], chosen["flavor"]),
        toolkit(chosen, wish),
    ):
        packages.update(found)
        told += problems
        warnings += notices
    if told:
        return refused(told, rejected)
    packages.update(chosen["packages"])
    made = pins.make(host, wish, chosen, found_kernels, packages)
    return {
        "problems": [],
        "rejected": rejected,
        "warnings": warnings + notices_of(chosen["driver"], chosen["release"], host, wish, today),
        "pins": made,
        "packages": dict(made["packages"]),
    }


def refused(problems, rejected=()):
    return {"problems": problems, "rejected": list(rejected), "warnings": [], "pins": None, "packages": {}}


def builds(host, wish, offered):
    """([(CUDA release, toolkit's package version)] in the order in which they are tried, [(release, why not)])."""
    if wish["cuda"]:
        return extras.toolkits(wish, offered), []
    if not wish["framework"]:
        return [(None, None)], []
    name, version = frameworks.parse(wish["framework"])
    judged = [(one, frameworks.problem(name, one, host["gpus"])) for one in frameworks.builds(name, version)]
    return [(one, None) for one, why in judged if not why], [(one, why) for one, why in judged if why]


def choose(host, wish, offered, today):
    """({driver, flavor, release, toolkit, packages} or None, rejected)."""
    tried, unfit = builds(host, wish, offered)
    rejected = [entry(None, None, release, "%s, so this build does not serve it" % why) for release, why in unfit]
    there = candidates.drivers(offered, host["platform"], wish["source"])
    flavors = ("open", "proprietary") if wish["kernel_modules"] else (None,)
    for release, version in tried:
        found = [(driver, flavor, rules.reasons(driver, flavor, host, wish, release, offered)) for driver in there for flavor in flavors]
        best, better = prefer([(driver, flavor) for driver, flavor, why in found if not why], wish, today)
        rejected += [
            entry(driver, flavor, release, "; ".join(why) or better(driver, flavor))
            for driver, flavor, why in found
            if (driver, flavor) != best
        ]
        if best:
            driver, flavor = best
            packages = {name: candidates.version_of(offered, name, driver) for name in rules.packages(driver, flavor, host, wish)}
            return {"driver": driver, "flavor": flavor, "release": release, "toolkit": version, "packages": packages}, rejected
    return None, rejected


def prefer(good, wish, today):
    """(the best of [(driver, flavor)] or None, function (driver, flavor) that says why not another one).

    good: the newest first, and of one driver the open modules.
    """

    def is_alive(driver):
        return not tables.is_past(tables.branch(tables.branch_of(driver)).end, today)

    by_hand = wish["branch"] or wish["version"] or wish["policy"] == "newest"
    alive = [one for one in good if is_alive(one[0])]
    best = (good if by_hand or not alive else alive)[:1]

    def better(driver, flavor):
        chosen = best[0][0]
        if driver == chosen:
            return "of the same driver the open kernel modules come first, as NVIDIA advises"
        if versions.compare(driver, chosen) > 0:
            return "branch %d is past its end of life, and that of %s is not" % (tables.branch_of(driver), chosen)
        return "%s is newer" % chosen

    return best[0] if best else None, better


def entry(driver, flavor, release, reason):
    return {"driver": driver, "flavor": flavor, "cuda": cuda.text(release) if release else None, "reason": reason}


def nothing_fits(host, wish, rejected):
    """One message about all that is offered, with the next step."""
    add = {
        "nvidia": "Add NVIDIA's repository to the host (%s; role nvidia_driver adds it together with a driver), or use source distribution."
        % names.how_to_add(host["platform"], host["machine"]),
        "local": "Make the folder a source of the host, as NVIDIA's package nvidia-driver-local-repo does.",
        "mirror": "Add the mirror of NVIDIA's repository to the host.",
        "distribution": "Debian has them in contrib, non-free and non-free-firmware: add these to the sources, or use source nvidia.",
    }[wish["source"]]
    drivers = [one for one in rejected if one["driver"]]
    if not drivers:
        name = names.driver(host["platform"], wish["source"], 580, None)[0]
        told = "No package source of this host offers a driver under the names of source %s (as %s). %s"
        return [told % (wish["source"], name, add)]
    told = {}
    for one in drivers:
        what = one["driver"] + (" " + one["flavor"] if one["flavor"] else "") + (" with CUDA " + one["cuda"] if one["cuda"] else "")
        told.setdefault(one["reason"], []).append(what)
    lines = ["%s: %s" % (", ".join(who[:3]) + (" and %d more" % (len(who) - 3) if who[3:] else ""), why) for why, who in told.items()]
    more = " (and %d reasons more, in rejected)" % (len(lines) - MOST_TOLD) if lines[MOST_TOLD:] else ""
    return [
        "No driver that is offered fits this host. %s%s. Add a source that has one, or loosen what these name."
        % (". ".join(lines[:MOST_TOLD]), more)
    ]


def toolkit(chosen, wish):
    """({package: version}, [messages], [warnings]) of CUDA's toolkit."""
    if not wish["cuda"] or extras.is_wanted(wish, "cuda_toolkit") is False:
        return {}, [], []
    name = cuda.toolkit_package(cuda.parse(wish["cuda"]))
    if chosen["toolkit"]:
        return {name: chosen["toolkit"]}, [], []
    return ({},) + extras.absent(wish, "cuda_toolkit", "%s of release %s" % (name, wish["cuda"]))


def notices_of(driver, release, host, wish, today):
    """What a reader should know of what was chosen."""
    number = tables.branch_of(driver)
    known = tables.branch(number)
    found = []
    if tables.is_past(known.end, today):
        when = "" if known.end == tables.PAST else " since the end of %s" % known.end
        found.append("Driver branch %d is past its end of life%s: it gets no fixes any more. Move to a branch that does." % (number, when))
    elif known.end is None:
        found.append("Of driver branch %d it is not known here how long NVIDIA supports it." % number)
    elif known.designation == "NFB":
        found.append("Driver branch %d is a new feature branch, and supported until %s only." % (number, known.end))
    for gpu in host["gpus"]:
        if gpu["architecture"] not in hosts.ARCHITECTURES:
            found.append("%s is not known here: what drivers it works with was not checked." % gpu["label"])
        if gpu["model"] in tables.IMEX_MODELS:
            found.append("%s needs IMEX of exactly the driver's version for its NVLink domain: that is not resolved here." % gpu["label"])
        if wish["mig"] and gpu["model"] not in tables.MIG_DRIVERS:
            found.append("Whether %s has MIG, and from which driver on, is not known here." % gpu["label"])
    if wish["framework"]:
        name = frameworks.parse(wish["framework"])[0]
        for one in frameworks.compiles_late(name, release, host["gpus"]):
            found.append(
                "The CUDA %s of %s is older than %s: kernels are compiled when they are first used."
                % (cuda.text(release), wish["framework"], one)
            )
    return found
