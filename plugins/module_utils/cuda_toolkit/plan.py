# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which packages and files make the wished CUDA toolkits: pure.

wish: {versions, default, profile, pinned: {name: version}, driver, mode, architectures, remove_others, hold, repository}; versions as in
12.8 or 12.8.1. seen: {packages, sources, files: {path: text}, current: folder that /usr/local/cuda leads to, driver: the manifest of role
nvidia_driver}.

Source of the names: NVIDIA, CUDA installation guide for Linux, "Meta Packages". cuda-runtime-X-Y would bring a driver along, so the runtime
is cuda-libraries-X-Y. Every package of a toolkit ends with its version, as cuda-nvcc-12-8 and libcublas-12-8.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import repository, sources, state, versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda, tables

META = {"full": "cuda-toolkit-%d-%d", "runtime": "cuda-libraries-%d-%d"}
OWN = re.compile(r"^(?:cuda|lib|nsight|gds|nvidia-fs)[a-z0-9+.-]*?-(\d+)-(\d+)(?:-dev|-config-common)?$")
# Of these there is one for all releases, and a later toolkit may bring a later one. cuda-drivers is none of them.
SHARED = re.compile(r"^(?:cuda-toolkit(?:-\d+)?-config-common|nsight-[a-z0-9.-]+)$")
MARKS = ("cuda-toolkit-%d-%d", "cuda-libraries-%d-%d", "cuda-toolkit-%d-%d-config-common")
LINK = "/usr/local/cuda"
PROFILE = "/etc/profile.d/mlinfra-cuda.sh"
# Sorts after what role nvidia_driver writes: apt takes the first record of `Package: *` that fits, so that role's priority counts.
PREFERENCES = repository.TOOLKIT_PREFERENCES
# Less than what is installed, so that this repository moves no driver of the distribution, and more than nothing.
PRIORITY = 100
PROFILE_TEXT = """\
# Written by role mlinfra.hosts.cuda_toolkit.
export CUDA_HOME=%(link)s
case ":$PATH:" in
    *:%(link)s/bin:*) ;;
    *) PATH=%(link)s/bin:$PATH ;;
esac
"""


def pair(release):
    return release[:2]


def dotted(release):
    return "%d.%d" % pair(release)


def folder(release):
    return "/usr/local/cuda-%d.%d" % pair(release)


def package(release, profile):
    return META[profile] % pair(release)


def input_problems(wish):
    """Messages about values that no host could make true."""
    found, seen = [], set()
    for text in wish["versions"]:
        release = cuda.parse(text)
        if release is None or pair(release) not in {pair(one) for one in tables.CUDA_DRIVERS}:
            found.append("cuda_toolkit_versions has %r: expected CUDA releases out of %s." % (text, cuda.known()))
        elif pair(release) in seen:
            found.append("cuda_toolkit_versions has %s twice: of one release there is one toolkit. Keep one of them." % dotted(release))
        else:
            seen.add(pair(release))
    if wish["default"]:
        release = cuda.parse(wish["default"])
        if release is None or not found and pair(release) not in seen:
            listed = ", ".join(wish["versions"]) or "no version"
            found.append("cuda_toolkit_default is %s: cuda_toolkit_versions has %s. Choose one of them." % (wish["default"], listed))
    return found


def releases(wish):
    """The wished releases, as cuda.parse has them."""
    return [cuda.parse(text) for text in wish["versions"]]


def driver_problems(wish, judged):
    """Messages about releases that the host's driver or GPUs cannot run. judged: releases, as exact as they are known."""
    found = []
    for release in judged:
        ended = [name for name in wish["architectures"] if pair(release)[0] > tables.LAST_CUDA.get(name, pair(release)[0])]
        if ended:
            found.append(
                "cuda_toolkit_versions has %s: CUDA %d is the last one for the %s GPUs of this host. Choose a release of it."
                % (cuda.text(release), tables.LAST_CUDA[ended[0]], ended[0])
            )
        known = (release[0], release[1], release[2] or 0) in tables.CUDA_DRIVERS
        if not wish["driver"] or wish["mode"] == "strict" and not known:
            continue
        least, why = cuda.minimum(release, wish["mode"])
        if versions.compare(wish["driver"], least) < 0:
            more = " cuda_toolkit_mode compatible would do with branch %d." % tables.CUDA_BRANCHES[release[0]]
            helps = wish["mode"] == "strict" and versions.compare(wish["driver"], str(tables.CUDA_BRANCHES[release[0]])) >= 0
            text = (
                "cuda_toolkit_versions has %s: driver %s of this host cannot run it (%s). Upgrade the driver, or choose an earlier release."
            )
            found.append(text % (cuda.text(release), wish["driver"], why) + (more if helps else ""))
    return found


def fits(version, release, pinned):
    """Whether a package's version is the pinned one, or of the wished release."""
    if pinned:
        return version == pinned
    have = cuda.toolkit_release(version) or cuda.parse(".".join(re.findall(r"\d+", version)[:3]))
    return bool(have) and pair(have) == pair(release) and (release[2] is None or have[2] == release[2])


def installed_releases(packages):
    """Releases, as (major, minor), of which a toolkit is on the host."""
    names = {name for name, one in packages.items() if one["version"]}
    found = {tuple(int(part) for part in match.groups()) for match in map(OWN.match, names) if match}
    return sorted(one for one in found if any(mark % one in names for mark in MARKS))


def of_release(packages, release):
    """Names of all installed packages of a toolkit, sorted."""
    found = []
    for name, one in packages.items():
        match = OWN.match(name)
        if match and one["version"] and tuple(int(part) for part in match.groups()) == pair(release):
            found.append(name)
    return sorted(found)


def decide(wish, seen):
    """{problems, missing: {name: release}, remove, hold, default, listed, files, gone}: what is due, before a repository was asked."""
    problems = input_problems(wish)
    if problems:
        return {"problems": problems, "missing": {}, "remove": [], "hold": [], "default": None, "listed": [], "files": {}, "gone": []}
    wished, packages = releases(wish), seen["packages"]
    missing, exact = {}, []
    for release in wished:
        name = package(release, wish["profile"])
        have = state.installed(packages, name)
        if have and fits(have, release, wish["pinned"].get(name)):
            exact.append(cuda.toolkit_release(have) or release)
        else:
            missing[name] = release
            exact.append(release)
    others = [one for one in installed_releases(packages) if one not in {pair(release) for release in wished}]
    remove = [name for one in others for name in of_release(packages, one)] if wish["remove_others"] else []
    hold = [name for one in wished for name in of_release(packages, one) if not packages[name]["held"]] if wish["hold"] else []
    default = cuda.parse(wish["default"]) if wish["default"] else max(wished, key=pair, default=None)
    listed = [path for path, text in sorted(seen["sources"].items()) if sources.keys_of(path, text or "", wish["repository"])]
    return {
        "problems": driver_problems(wish, exact),
        "missing": missing,
        "remove": remove,
        "hold": hold,
        "default": default if default and (missing or seen["current"] != folder(default)) else None,
        "listed": listed,
        "files": files_due(wish, seen, listed),
        "gone": files_gone(wish, seen, listed),
    }


def place(wish, seen):
    """(source, keyring): those of role nvidia_driver, unless it has a driver of another address in them."""
    driver = seen.get("driver") or {}
    apart = driver.get("source") == "nvidia" and not sources.same_url(driver.get("repository") or "", wish["repository"])
    return (repository.TOOLKIT_SOURCE, repository.TOOLKIT_KEYRING) if apart else (repository.SOURCE, repository.KEYRING)


def files_due(wish, seen, listed):
    """{path: text} of files that are not as wished; text None: only the repository can tell, and the file is missing."""
    wished = {PROFILE: PROFILE_TEXT % {"link": LINK}} if wish["versions"] else {}
    if wish["versions"] and not listed:
        source, keyring = place(wish, seen)
        wished[source] = repository.source_text(wish["repository"], keyring)
        # Another address may be signed with another key.
        anew = [keyring] if seen["files"].get(source) not in (None, wished[source]) else []
        wished.update({path: None for path in (keyring, PREFERENCES) if path not in seen["files"] or path in anew})
    return {path: text for path, text in wished.items() if text is None or seen["files"].get(path) != text}


def files_gone(wish, seen, listed):
    """Files of ours that would name one repository twice."""
    if not wish["versions"] or (place(wish, seen)[0] == repository.TOOLKIT_SOURCE and not listed):
        return []
    return [path for path in (repository.TOOLKIT_SOURCE, repository.TOOLKIT_KEYRING) if path in seen["files"]]


def chosen(wish, missing, available):
    """({name: version}, [messages]) out of what the repository offers, {name: [version]}."""
    picked, found = {}, []
    for name, release in missing.items():
        pinned = wish["pinned"].get(name)
        fitting = [one for one in available.get(name, []) if fits(one, release, pinned)]
        if fitting:
            picked[name] = versions.newest(fitting)
            continue
        there = ", ".join(sorted(available.get(name, []), key=versions.kernel_key)) or "none of that name"
        what = "cuda_toolkit_pins want %s %s" % (name, pinned) if pinned else "cuda_toolkit_versions has %s" % cuda.text(release)
        found.append(
            "%s: the repository has no such %s (there is: %s). Choose one that it has, or a mirror that keeps it (cuda_toolkit_repository, "
            "mlinfra_mirrors.nvidia)." % (what, name, there)
        )
    exact = [cuda.toolkit_release(version) or missing[name] for name, version in picked.items()]
    return picked, found + [one for one in driver_problems(wish, exact) if one not in found]


def foreign(actions, packages, remove):
    """Messages about packages that would move or go besides the toolkits' own."""
    found = []
    for one in actions:
        there = (packages.get(one["name"]) or {}).get("version")
        if there and one["action"] == "remove" and one["name"] not in remove:
            found.append(
                "%s would be removed with this change. Nothing was changed. Remove it yourself first, or leave out what conflicts."
            )
            found[-1] = found[-1] % one["name"]
        elif there and one["action"] == "install" and not (OWN.match(one["name"]) or SHARED.match(one["name"])):
            found.append(
                "%s would move from %s to %s with this change, and it is no part of a toolkit. Nothing was changed. Install that version "
                "first, or choose another toolkit." % (one["name"], there, one["new"])
            )
    return found


def preferences(release):
    """Text of our preferences. release: {Origin, Label} of the repository."""
    named = [(letter, release.get(field)) for letter, field in (("o", "Origin"), ("l", "Label"))]
    parts = ",".join("%s=%s" % (letter, value) for letter, value in named if value)
    head = "# Written by role mlinfra.hosts.cuda_toolkit: toolkits are asked for by version; nothing else moves to this repository.\n"
    return head + ("Package: *\nPin: release %s\nPin-Priority: %d\n" % (parts, PRIORITY) if parts else "")
