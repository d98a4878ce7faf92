# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Decides what has to change on a host for the wished driver: pure functions over the module's options and state.look()."""

from __future__ import annotations

import hashlib

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    architectures,
    dkms,
    going_along,
    local,
    pinned,
    repository,
    sources,
    state,
    versions,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import tables

# Libraries and programs of which two versions on one host mean a broken one ("Driver/library version mismatch").
CORE = (
    "nvidia-driver-cuda", "nvidia-smi", "libcuda1", "libnvidia-ml1", "libnvidia-ptxjitcompiler1", "libnvidia-nvvm4", "libnvidia-cfg1",
    "nvidia-driver", "nvidia-driver-bin", "nvidia-driver-libs", "nvidia-alternative", "firmware-nvidia-gsp", "nvidia-kernel-dkms",
    "nvidia-kernel-open-dkms", "nvidia-open-kernel-dkms", "nvidia-driver-cuda-libs", "libnvidia-ml", "nvidia-kmod-common",
    "kmod-nvidia-open-dkms", "kmod-nvidia-latest-dkms",
)  # fmt: skip


def input_problems(wish):
    """Messages about values that no host could make true."""
    found = []
    exact, branch = wish["version"], wish["branch"]
    if exact and not versions.is_driver(exact):
        expected = "expected a driver's number, as in 580.95.05. Leave it empty for the newest of a branch."
        found.append("nvidia_driver_version is %r: %s" % (exact, expected))
    elif exact and branch and int(exact.split(".")[0]) != branch:
        found.append(
            "nvidia_driver_version is %s: that is not of nvidia_driver_branch %d. Set the branch to %s, or choose another version."
            % (exact, branch, exact.split(".")[0])
        )
    if branch is not None and not 100 <= branch <= 999:
        found.append("nvidia_driver_branch is %d: expected the number before the first point of a version, as in 580." % branch)
    if wish["source"] != "distribution" and branch is None and not exact:
        told = "nvidia_driver_branch is empty: nvidia_driver_source %s wants a branch, as in 580, or nvidia_driver_version."
        found.append(told % wish["source"])
    return found


def wished_branch(wish):
    """The driver branch that is asked for, None where the distribution decides."""
    if wish["branch"]:
        return wish["branch"]
    return int(wish["version"].split(".")[0]) if versions.is_driver(wish["version"]) else None


def fits(wish, name, version):
    """Whether a package's version is the pinned one, or without pins of the wished driver; what only goes along may be any."""
    if wish["pins"]:
        return version is not None and wish["pins"]["packages"].get(name) == version
    return bool(version) and (name in wish["companions"] or versions.fits(version, wish["branch"], wish["version"]))


def decide(wish, seen, due=None):
    """{problems, settled, driver, remove, kernels, headers, kernel_packages, listed, off, files_due}: before a repository was asked.

    replaced: kernels in whose place others are, which only a source can tell (kernel_upgrade.apply).
    due: what judges the files where it is not apt's files_due.
    """
    problems = input_problems(wish)
    if not problems:
        problems += architectures.problems(wish["architectures"], wish["flavor"], wished_branch(wish), wish["kernel_modules"])
    have = {name: state.installed(seen["packages"], name) for name in wish["packages"]}
    drivers = {versions.upstream(version) for version in have.values() if version}
    besides = {name: state.installed(seen["packages"], name) for name in wish["companions"]}
    settled = len(drivers) == 1 and all(fits(wish, *pair) for pair in dict(have, **besides).items())
    driver = next(iter(drivers)) if settled else None
    remove = [name for name in wish["packages_absent"] if (seen["packages"].get(name) or {}).get("version")]
    kernels, headers, kernel_packages = [], [], []
    if wish["kernel_modules"]:
        wished = wish["kernels"] + pinned.beyond(wish, seen)
        kernels, told = dkms.resolve(wished, seen["running"], seen["installed_kernels"], seen["header_kernels"])
        problems += told
        kernel_packages = pinned.kernel_packages(wish, seen, kernels)
        headers = [one.partition("=")[0] for one in kernel_packages if not pinned.is_image(one)]
    listed, off = other_sources(wish, seen, seen["keyrings"].get(repository.own_files(wish)[1]))
    along = (seen["packages"], driver, wish["source"], seen.get("lost", ()), (wish["pins"] or {}).get("packages"))
    settled = settled and not remove and not going_along.behind(*along)
    return {
        "problems": problems,
        "settled": settled,
        "driver": driver,
        "remove": remove,
        "kernels": kernels,
        "headers": headers,
        "kernel_packages": kernel_packages,
        "replaced": [],
        "listed": listed,
        "off": off,
        "files_due": (due or files_due)(wish, seen, listed, off, settled),
    }


def unbuildable(wish, platform_names, driver, kernels):
    """Messages about kernels that a driver is known not to build for; kernels: those that nothing of it is built for yet."""
    if not wish["kernel_modules"] or not driver:
        return []
    return [
        "nvidia_driver_flavor is %s: driver %s does not build for kernel %s: %s. Nothing was changed. Set nvidia_driver_flavor to %s, take "
        "another driver (nvidia_driver_source, nvidia_driver_version), or build for another kernel (nvidia_driver_kernels)."
        % (wish["flavor"], driver, kernel, why, architectures.OTHER[wish["flavor"]])
        for name in platform_names
        for kernel, why in tables.unbuildable(name, wish["flavor"], driver, kernels)
    ]


def other_sources(wish, seen, key):
    """([path of somebody else's source for this repository that is used], {path: text of those that are switched off})."""
    if wish["source"] == "distribution":
        return [], {}
    found, suites = {}, wish.get("suites") or ["/"]
    suite = None if local.is_flat(suites) else suites[0]
    for path, text in seen["sources"].items():
        signed = sources.keys_of(path, text or "", wish["repository"], suite)
        if signed:
            found[path] = [(one, seen["keyrings"].get(one)) for one in signed]
    judged = sources.judge(found, key)
    off = {path: sources.switched_off(path, seen["sources"][path], wish["repository"], suite) for path in judged["off"]}
    return ([judged["keep"]] if judged["keep"] else []), off


def files_due(wish, seen, listed, off=(), settled=True):
    """Paths that are not as wished. What only the repository can tell (its key, its pins) is as an earlier run left it, or due."""
    due = []
    if wish["kernel_modules"] and seen["files"][state.NOUVEAU] != sha256(state.NOUVEAU_TEXT):
        due.append(state.NOUVEAU)
    if "nvlsm" in wish["companions"] and seen["files"][state.UMAD] != sha256(state.UMAD_TEXT):
        due.append(state.UMAD)
    if wish["source"] != "distribution" and seen["files"].get(repository.TOOLKIT_SOURCE) == sha256(
        repository.source_text(wish["repository"], repository.TOOLKIT_KEYRING)
    ):
        # Of one address there is one source: role cuda_toolkit shares the driver's.
        due.append(repository.TOOLKIT_SOURCE)
    if wish["source"] == "local":
        return due + local.files_due(wish, seen, listed, off, sha256) + preferences_due(seen, settled)
    if seen["files"].get(repository.LOCAL_SOURCE):
        due.append(repository.LOCAL_SOURCE)
    if wish["source"] != "nvidia":
        # A distribution has its packages at one version at a time; pins keep them there. What role cuda_toolkit has is that role's.
        due += [repository.SOURCE] if seen["files"][repository.SOURCE] and not seen.get("toolkit") else []
        unwanted = not wish["pins"] and seen["files"][repository.PREFERENCES]
        return due + (preferences_due(seen, settled) if wish["pins"] else [repository.PREFERENCES] if unwanted else [])
    due += sorted(off)
    if listed and seen["files"][repository.SOURCE]:
        # Two sources of one repository with different keys: apt would do nothing at all any more.
        due.append(repository.SOURCE)
    if not listed:
        if seen["files"][repository.SOURCE] != sha256(repository.source_text(wish["repository"])):
            due.append(repository.SOURCE)
        if not seen["files"][repository.KEYRING]:
            due.append(repository.KEYRING)
    return due + preferences_due(seen, settled)


def key_due(wish, seen, decided, key):
    """Our keyring, when it is not the key that the repository is signed with now: of another source, or of another mirror."""
    path = repository.own_files(wish)[1]
    if decided["listed"] or path in decided["files_due"] or seen["files"][path] == hashlib.sha256(key).hexdigest():
        return []
    return [path]


def preferences_due(seen, settled):
    """Our preferences, when they are not as an earlier run wrote them, or keep the versions of another driver."""
    if not settled:
        return [repository.PREFERENCES]
    written = (seen["manifest"].get("files") or {}).get(repository.PREFERENCES)
    return [] if written and seen["files"][repository.PREFERENCES] == written else [repository.PREFERENCES]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def changes(wish, seen, plan, made):
    """Whether anything of a plan is to be done. made: kernels that its driver is built for."""
    due = not plan["settled"] or plan["kernel_packages"] or plan["files_due"] or builds_due(plan, plan["driver"], made) or seen["begun"]
    return bool(due or holds_due(wish, seen["packages"], plan["driver"]))


def builds_due(plan, driver, made):
    """Kernels that the driver is not built for. made: see dkms.built."""
    return [kernel for kernel in plan["kernels"] if kernel not in made] if driver else list(plan["kernels"])


def load_due(wish, seen, plan, made):
    """Whether the modules could be loaded now and are not. made: kernels that they are built for."""
    possible = wish["load"] and wish["kernel_modules"] and seen["running"] in made
    return possible and not seen["loaded"] and not seen["nouveau"] and seen["running"] in plan["kernels"]


def initramfs_due(wish, seen, plan):
    """Whether the initramfs has yet to learn that nouveau is blocked. The file that blocks it is written first: a run that was killed
    leaves it, and the initramfs may be older."""
    return bool(wish["kernel_modules"] and (state.NOUVEAU in plan["files_due"] or seen["begun"]))


def holds_due(wish, packages, driver):
    """Driver packages that an upgrade could still move."""
    if not wish["hold"] or not driver:
        return []
    return [name for name in owned(wish, packages, driver) if not packages[name]["held"]]


def owned(wish, packages, driver):
    """{name: version} of the driver's packages and of what goes along with a version of its own."""
    besides = {name: state.installed(packages, name) for name in wish["companions"]}
    return dict(state.driver_packages(packages, driver), **{name: version for name, version in besides.items() if version})


def family(wish, seen, picked, leaving=()):
    """Packages, sorted, that are here of the driver that goes, and that no name of the wish brings to the new one.

    They want each other in exactly their version, and of a distribution's two versions apt's own choice is always the newer: apt goes to
    the older one only where it is told each of them. picked: {name: version}; leaving: names that go.
    """
    new = versions.upstream(picked[wish["packages"][0]])
    here = {name: state.installed(seen["packages"], name) for name in wish["packages"]}
    old = {versions.upstream(version) for version in here.values() if version} | {seen["manifest"].get("driver")}
    installed = {name: versions.upstream(state.installed(seen["packages"], name)) for name in seen["packages"]}
    others = set(installed).difference(picked, leaving, going_along.here(seen["packages"], new))
    return sorted(name for name in others if versions.is_driver(installed[name]) and installed[name] in old - {new})


def family_at(wish, names, available, picked):
    """{name: version} of those that are offered for the driver that comes: as pinned, else of the build of the rest of it, else the newest.

    What is not offered for it is no part of it, and goes with the old one. available: {name: [versions]}.
    """
    driver = versions.upstream(picked[wish["packages"][0]])
    pinned, found = (wish["pins"] or {}).get("packages") or {}, {}
    for name in names:
        there = [one for one in available.get(name, []) if versions.upstream(one) == driver]
        same = [one for one in there if one in picked.values()]
        if there:
            found[name] = pinned[name] if pinned.get(name) in there else versions.newest(same or there)
    return found


def foreign_holds(packages, actions, own):
    """Messages about packages that would move although somebody else holds them. own: names that an earlier run of ours held."""
    return [
        "%s is held at %s, and the driver would %s it. Nothing was changed. Release it (apt-mark unhold %s), or choose another driver."
        % (one["name"], packages[one["name"]]["version"], "move" if one["action"] == "install" else "remove", one["name"])
        for one in actions
        if packages.get(one["name"], {}).get("held") and one["name"] not in own
    ]


def foreign_removals(packages, actions):
    """Messages about packages that would go with the old driver although they are no part of one."""
    gone = [one["name"] for one in actions if one["action"] == "remove" and (packages.get(one["name"]) or {}).get("version")]
    others = [name for name in gone if "nvidia" not in name and "cuda" not in name]
    if not others:
        return []
    return [
        "%s would be removed with this change: it depends on packages of the present driver. Nothing was changed. Remove it yourself, or "
        "choose a driver that it works with." % ", ".join(sorted(others))
    ]


def mixed(packages, driver):
    """Messages about core packages that are of another version than the driver."""
    found = []
    for name in CORE:
        version = state.installed(packages, name)
        if version and versions.upstream(version) != driver:
            found.append("%s is %s, and the driver is %s" % (name, version, driver))
    return found


def manifest(wish, packages, driver, kernels, files, brought):
    """What is written on the host about its driver. kernels: {release: [module files]}; files: {path: SHA-256}.

    NVIDIA's repository is none of a driver's that does not come from there: role cuda_toolkit may have it, and it comes and goes with that.
    """
    mine = owned(wish, packages, driver)
    others = (repository.TOOLKIT_SOURCE,)
    others += () if wish["source"] == "nvidia" else (repository.SOURCE, repository.KEYRING)
    return {
        "schema": 1,
        "driver": driver,
        "source": wish["source"],
        "repository": wish["repository"] if wish["source"] != "distribution" else None,
        "branch": wish["branch"],
        "version": wish["version"] or None,
        "flavor": wish["flavor"] if wish["kernel_modules"] else None,
        "kernel_modules": wish["kernel_modules"],
        "kernels": kernels,
        "packages": mine,
        "held": sorted(name for name in mine if packages[name]["held"]),
        "brought": sorted(name for name in set(brought) if (packages.get(name) or {}).get("version")),
        "files": {path: value for path, value in sorted(files.items()) if value and path not in others},
    }
