# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Chooses versions from what the sources really offer, and simulates: all that can be refused is refused before anything is changed."""

from __future__ import annotations

import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    apt,
    dkms,
    following_headers,
    going_along,
    installer,
    kernel_upgrade,
    local,
    local_reading,
    pinned,
    plan,
    repository,
    room,
    stage,
    state,
    verified,
    versions,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins as schema


class Refused(Exception):
    """What is wished cannot be had, one message a problem; nothing was changed."""


def refuse(messages):
    if messages:
        raise Refused("\n".join(messages))


def wish_of(params):
    """The module's options, with what pins say in them. :raises Refused:"""
    wish = dict(params, version=params["version"] or "", branch=params["branch"] or None)
    if wish["pins"] is not None:
        refuse(["nvidia_driver_%s" % one for one in schema.shape_problems(wish["pins"])])
        wish.update(pinned.wish_of(wish["pins"]))
    if params["source"] == "local" and wish["source"] != "distribution":
        # The pins of NVIDIA's packages: a local repository has the same ones.
        wish["source"] = "local"
    if wish["source"] == "local":
        place, told = local.parse(wish["local_repository"])
        refuse(told)
        wish.update(place, keyring=wish["local_keyring"])
    if wish["source"] == "nvidia" and not (wish["repository"] and wish["keyring"]):
        refuse(["nvidia_driver_pins are of NVIDIA's repository: repository and keyring have to say where it is. Set both."])
    return wish


def check_existing(job, run):
    """:raises Refused: a driver of no package is here, and nothing that could take it away."""
    if job.wish["take_over"] and job.was is None and not job.decided["settled"] and verified.look(run)["libraries"]:
        refuse([one for one in [installer.problem()] if one])


def prepare(job, folder):
    """[actions] as apt says them, None when no package list tells them yet. :raises Refused, stage.Unusable, apt.Failed:"""
    wish, decided = job.wish, job.decided
    due = set(decided["files_due"]) - {state.NOUVEAU, state.UMAD}
    options, add = [], []
    if wish["source"] != "distribution" and (due or not decided["settled"]):
        options = from_repository(job, staged(job, folder))
        add = [job.pinning] if job.pinning and not decided["settled"] else []
    elif wish["pins"] and job.seen["lists"] and (decided["kernel_packages"] or not decided["settled"]):
        options = stage.without_ours(folder) if wish["source"] == "distribution" else []
        choose_pinned(job, options)
        from_distribution(job, options)
    elif wish["source"] == "distribution" and not decided["settled"] and job.seen["lists"]:
        options = stage.without_ours(folder)
        there = job.program.versions(wish["packages"], options)
        job.picked, told = repository.chosen(there, wish["packages"], wish["branch"], wish["version"], wish["source"])
        refuse(told)
        from_distribution(job, options)
    refuse_build(job)
    if not (decided["kernel_packages"] or not decided["settled"]):
        return []
    if not job.seen["lists"]:
        return None
    kernel_upgrade.apply(job, options)
    refuse_build(job)
    if not (decided["kernel_packages"] or not decided["settled"]):
        return []
    refuse(headers_problems(job, options))
    following_headers.apply(job, options)
    return simulate(job, add, options)


def refuse_build(job):
    """:raises Refused: the modules are known not to build for a kernel that has none of them, which takes minutes to find out"""
    wish, decided = job.wish, job.decided
    driver = decided["driver"] or versions.upstream(job.picked.get(wish["packages"][0]) or "")
    if driver and wish["kernel_modules"]:
        due = set(decided["kernels"]) - set(dkms.built(driver))
        refuse(plan.unbuildable(wish, job.platform["platform_names"], driver, sorted(due, key=versions.kernel_key)))


def simulate(job, add, options):
    """What apt would do. :raises Refused: it cannot be done, others' packages are in the way, or the disk is too small."""
    decided = job.decided
    names = ["%s=%s" % pair for pair in dict(job.picked, **job.family).items()] if not decided["settled"] else []
    names += ["%s-" % name for name in job.leaving()] + decided["kernel_packages"]
    try:
        actions = job.program.simulate(names + add, options)
    except apt.Failed as error:
        raise Refused(
            "%s cannot be installed here: %s. Nothing was changed. Choose another nvidia_driver_version or nvidia_driver_flavor%s."
            % (", ".join(names), "; ".join(apt.reasons(error.output)), ", or other nvidia_driver_pins" if job.wish["pins"] else "")
        ) from error
    refuse(plan.foreign_holds(job.seen["packages"], actions, job.seen["manifest"].get("held") or []))
    others = [one for one in actions if one["name"] not in job.leaving()]
    refuse(plan.foreign_removals(job.seen["packages"], others))
    refuse(room.problems(job.program, names + add, actions, options))
    return actions


def from_repository(job, staged):
    """Choose from NVIDIA's repository. Returns apt's options for a simulation with it."""
    wish, decided = job.wish, job.decided
    # Now that the key is known, so is which sources of somebody else can stay.
    decided["listed"], decided["off"] = plan.other_sources(wish, job.seen, job.key)
    decided["files_due"] = plan.files_due(wish, job.seen, decided["listed"], decided["off"], decided["settled"])
    decided["files_due"] += plan.key_due(wish, job.seen, decided, job.key)

    # A pinning package of an earlier run goes before the driver comes; until then it keeps an older version of its branch away.
    ours = [one for one in job.seen["manifest"].get("brought") or [] if one.startswith("nvidia-driver-pinning-")]
    gone = [repository.PINNING] if any((job.seen["packages"].get(one) or {}).get("version") for one in ours) else []
    # As it is staged, or no longer wished.
    gone.append(repository.LOCAL_SOURCE)
    gone += [repository.TOOLKIT_SOURCE] if repository.TOOLKIT_SOURCE in decided["files_due"] else []

    def options(preferences):
        return staged.options(preferences, add_source=not decided["listed"], replaced=decided["off"], gone=gone)

    if wish["pins"]:
        choose_pinned(job, options(""))
    else:
        job.picked, told = repository.chosen(staged.available, wish["packages"], wish["branch"], wish["version"], wish["source"])
        besides, more = repository.newest_of(staged.available, wish["companions"], going_along.PLACES[wish["source"]][0])
        refuse(told + more)
        job.picked.update(besides)
    if not decided["settled"]:
        refuse(going_along.take(job, staged.available, going_along.APT))
    driver = decided["driver"] or versions.upstream(job.picked[wish["packages"][0]])
    # With pins our own preferences have each package's version; the repository's package would say the same once more.
    job.pinning = None if wish["pins"] else repository.pinning(staged.available, wish["branch"], wish["version"])
    pins = repository.one_driver(staged.available, driver)
    besides = {name: job.picked[name] for name in [*wish["companions"], *job.besides.values()]}
    pinned_by_package = job.pinning and job.pinning.endswith(wish["version"] or str(wish["branch"]))
    job.preferences = repository.preferences_text(staged.release, dict({} if pinned_by_package else pins, **besides))
    return options(repository.preferences_text(staged.release, dict(pins, **besides)))


def staged(job, folder):
    """Set job.key, and read the repository. :raises stage.Unusable:"""
    wish, program = job.wish, job.program
    if wish["source"] == "local":
        job.key = local_reading.key(wish, job.seen, program.run, folder, "apt")
        return local_reading.staged(program, wish, job.key, folder)
    job.key = stage.fetch(wish["keyring"], wish["proxy"], program.run, wish["keyring_sha256"], folder)
    return stage.Stage(program, wish["repository"], job.key, folder)


def from_distribution(job, options):
    """What goes along, and the rest of the driver, come from the host's own sources. :raises Refused: they do not have it"""
    if job.decided["settled"]:
        return
    asked = going_along.wanted(job)
    family = plan.family(job.wish, job.seen, job.picked, job.decided["remove"])
    there = job.program.versions(sorted({*asked, *family}), options) if asked or family else {}
    if asked:
        refuse(going_along.take(job, there, going_along.APT))
    job.family = plan.family_at(job.wish, family, there, job.picked)


def choose_pinned(job, options):
    """Take the pinned versions. options: apt's, for sources besides the host's. :raises Refused: the pins do not hold here."""
    headers = dict(names.headers(job.wish["pins"]["platform"], one) for one in pinned.beyond(job.wish, job.seen))
    offered = job.program.versions(sorted(set(pinned.packages_of_role(job.wish)).union(headers)), options)
    if not job.seen["lists"]:
        # What the distribution offers is not known yet; the run that reads the lists judges it.
        for name, version in pinned.exact(job.wish["pins"], pinned.of_kernels(job.wish["pins"])).items():
            offered.setdefault(name, []).append(version)
        for name, version in headers.items():
            offered.setdefault(name, []).append(version or "any")
    judge_pins(job, offered)
    job.picked = pinned.exact(job.wish["pins"], job.wish["packages"] + job.wish["companions"])


def judge_pins(job, offered):
    """:raises Refused: the pins do not hold on this host"""
    known = pinned.offered_with(offered, job.seen["packages"])
    told, job.notices = pinned.problems(job.wish, job.gpu, job.platform, known, time.strftime("%Y-%m-%d"))
    refuse(told)


def headers_problems(job, options):
    """Messages about kernels whose headers no source has, when there are lists to know it by."""
    wanted = job.decided["headers"]
    if not wanted or not job.seen["lists"]:
        return []
    candidates = job.program.candidates(wanted, options)
    return [
        kernel_upgrade.problem(job, name, kernel)
        for name in wanted
        for kernel in job.decided["kernels"]
        if name == job.wish["headers"].replace("KERNEL", kernel) and not candidates[name]
    ]
