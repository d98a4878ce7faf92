# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What dnf would do for a wish, read from the repository and simulated before anything is changed. As prepare.py, for hosts of rpm."""

from __future__ import annotations

import glob
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    apt,
    dnf,
    going_along,
    kernel_upgrade,
    local,
    local_reading,
    plan,
    prepare,
    repository,
    rpms,
    stage,
    state,
    versionlock,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

REPOSITORIES = ("/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d")
PLUGINS = "/etc/dnf/plugins"


def refuse_distribution(wish, platform):
    """:raises prepare.Refused: these distributions have no driver of their own"""
    if wish["source"] == "distribution":
        told = "nvidia_driver_source is distribution: %s has no packages of NVIDIA's driver. Set it to nvidia."
        prepare.refuse([told % platform["platform_names"][0]])


def run(job, folder):
    """[actions] of the change. :raises prepare.Refused, stage.Unusable, apt.Failed:"""
    wish, decided = job.wish, job.decided
    refuse_distribution(wish, job.platform)
    due = set(decided["files_due"]) - {state.NOUVEAU, state.UMAD}
    if not (due or decided["kernel_packages"] or not decided["settled"]):
        return []
    options = host_options(folder, own_locks(job))
    if due or not decided["settled"]:
        job.key = key_of(wish) if wish["source"] != "local" else local_reading.key(wish, job.seen, job.program.run, folder, "dnf")
        decided["files_due"] += rpms.key_due(job.seen, decided["files_due"], job.key)
        only = write_stage(wish, job.key, folder)
        # In place of ours on the disk, which may be of another mirror.
        options.append("--setopt=reposdir=%s" % ",".join([others(folder), only]))
        available = read_stage(job, folder, only)
        if not decided["settled"]:
            choose(job, available, options)
    if not (decided["kernel_packages"] or not decided["settled"]):
        return []
    job.seen["lists"] = True
    kernel_upgrade.apply(job, options)
    if not (decided["kernel_packages"] or not decided["settled"]):
        return []
    prepare.refuse(prepare.headers_problems(job, options))
    prepare.refuse(locked_by_others(job))
    return simulate(job, options)


def own_locks(job):
    """{name: version} that an earlier run of ours locked."""
    manifest = job.seen["manifest"]
    return {name: version for name, version in (manifest.get("packages") or {}).items() if name in (manifest.get("held") or [])}


def key_of(wish):
    data = stage.download(wish["keyring"], wish["proxy"], wish["keyring_sha256"])
    if b"BEGIN PGP PUBLIC KEY BLOCK" not in data:
        raise stage.Unusable("%s is no public key: expected an armored one, as NVIDIA's. %s" % (wish["keyring"], stage.NEXT))
    return data


def write_stage(wish, key, folder):
    """A folder with the repository's file, its key beside it."""
    only = os.path.join(folder, "repository")
    os.makedirs(only)
    path = os.path.join(folder, "key.asc")
    stage.write(path, key)
    stage.write(os.path.join(only, "staged.repo"), rpms.source_text(wish["repository"], path).encode())
    return only


def others(folder):
    """A folder with the host's own repository files, but for ours."""
    path = os.path.join(folder, "others")
    if not os.path.isdir(path):
        os.makedirs(path)
        for place in REPOSITORIES:
            stage.link(glob.glob(os.path.join(place, "*.repo")), path, but=rpms.SOURCE)
    return path


def read_stage(job, folder, only):
    """{name: [versions]} of the one repository. :raises stage.Unusable:"""
    alone = ["--setopt=reposdir=%s" % only, "--setopt=cachedir=%s" % os.path.join(folder, "cache")]
    try:
        return job.program.versions(["*"], alone + ["--setopt=mlinfra-nvidia.skip_if_unavailable=False"])
    except apt.Failed as error:
        told = "%s cannot be read: %s. %s"
        then = stage.NEXT if job.wish["source"] != "local" else local.NEXT
        raise stage.Unusable(told % (job.wish["repository"], "; ".join(dnf.reasons(error.output)), then)) from error


def host_options(folder, own):
    """dnf's options for a host without these locks of ours, {name: version}."""
    path = versionlock.here()
    if path is None:
        return []
    plugins = os.path.join(folder, "plugins")
    os.makedirs(plugins)
    stage.link(glob.glob(os.path.join(PLUGINS, "*.conf")), plugins, but=versionlock.CONFIGURATION)
    listed = os.path.join(folder, "versionlock.list")
    stage.write(listed, versionlock.changed(read(path) or "", own, {}).encode())
    stage.write(os.path.join(plugins, "versionlock.conf"), ("[main]\nenabled = 1\nlocklist = %s\n" % listed).encode())
    return ["--setopt=pluginconfpath=%s" % plugins]


def choose(job, available, options):
    """Set job.picked and job.besides. :raises prepare.Refused:"""
    wish = job.wish
    if wish["pins"]:
        prepare.choose_pinned(job, options)
    else:
        job.picked, told = repository.chosen(available, wish["packages"], wish["branch"], wish["version"], wish["source"])
        besides, more = repository.newest_of(available, wish["companions"], going_along.PLACES[wish["source"]][0])
        prepare.refuse(told + more)
        job.picked.update(besides)
    prepare.refuse(going_along.take(job, available, going_along.DNF))


def locked_by_others(job):
    """Messages about locks that somebody else set."""
    path = versionlock.here()
    found = versionlock.foreign(read(path) or "", own_locks(job), job.picked) if path and not job.decided["settled"] else []
    return [
        "%s is locked by %s in %s, and the driver would move it to %s. Nothing was changed. Release it (dnf versionlock delete '%s'), or "
        "choose another driver." % (name, lock, path, job.picked[name], lock)
        for name, lock in found
    ]


def names_of(job):
    """What dnf is told to install, as name or name=version: the kernels' packages, the driver's, and what holds them."""
    decided = job.decided
    found = list(decided["kernel_packages"])
    if not decided["settled"]:
        found += ["%s=%s" % pair for pair in sorted(job.picked.items())]
    if job.wish["hold"] and versionlock.here() is None:
        found.append(versionlock.PROVIDER)
    return found


def simulate(job, options):
    """What dnf would do. :raises prepare.Refused: it cannot be done, or others' packages are in the way."""
    wanted = names_of(job)
    try:
        actions = job.program.simulate(wanted, options)
    except apt.Failed as error:
        raise prepare.Refused(
            "%s cannot be installed here: %s. Nothing was changed. Add the source that has what is missing (EPEL has dkms for Red Hat's "
            "family), or choose another nvidia_driver_version or nvidia_driver_flavor%s."
            % (", ".join(wanted), "; ".join(dnf.reasons(error.output)), ", or other nvidia_driver_pins" if job.wish["pins"] else "")
        ) from error
    # What is called otherwise for the new driver goes: nvidia is in not all of these names.
    others = [one for one in actions if one["name"] not in job.leaving()]
    prepare.refuse(plan.foreign_removals(job.seen["packages"], others))
    return actions
