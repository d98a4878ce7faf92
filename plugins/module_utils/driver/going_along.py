# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is on a host besides a driver and has to be of its version (resolve.names.beside): it moves with it, and comes to no host."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import state, versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names

# How a package is removed, and where the wished ones are looked for, as a message says it.
APT, DNF = "apt-get remove", "dnf remove"
PLACES = {
    "nvidia": ("NVIDIA's repository has", "use a mirror that has it"),
    "distribution": ("the distribution's sources have", "add a source that has it"),
}


def here(packages, driver, source="nvidia"):
    """{name here: [names that it may have for this driver, the usual one first]}. packages: see state.packages, rpms.packages."""
    branch = int(driver.split(".")[0])
    found = {name: names.beside(name, branch, source) for name in sorted(packages) if state.installed(packages, name)}
    return {name: called for name, called in found.items() if called}


def driver_of(job):
    """The version that is to come."""
    return versions.upstream(job.picked[job.wish["packages"][0]])


def wanted(job):
    """Names to ask a package manager about, sorted; empty when nothing has to go along."""
    return sorted({one for called in here(job.seen["packages"], driver_of(job), job.wish["source"]).values() for one in called})


def take(job, available, remove):
    """Set job.besides and add to job.picked. Returns messages about what would stay behind. available: {name: [versions]}."""
    job.besides, picked, told = chosen(job.wish, job.seen["packages"], available, driver_of(job), remove)
    job.picked.update(picked)
    return told


def chosen(wish, packages, available, driver, remove):
    """({name here: name for the new driver}, {that name: version}, [messages]) of what is here. Pins that name it say which build."""
    found, picked, told = {}, {}, []
    pinned = (wish["pins"] or {}).get("packages") or {}
    for name, called in here(packages, driver, wish["source"]).items():
        fitting = {new: fit(packages, available, driver, new, pinned.get(new)) for new in called}
        new = next((one for one in called if fitting[one]), called[0])
        found[name] = new
        if fitting[new]:
            picked[new] = versions.newest(fitting[new])
        elif new in pinned and versions.upstream(pinned[new]) != driver:
            told.append(
                "nvidia_driver_pins.packages.%s is %s: it has to be of exactly the driver's version, %s. Nothing was changed. Leave it "
                "out of the pins, or give it that version." % (new, pinned[new], driver)
            )
        else:
            there = available.get(new, []) if new in pinned else map(versions.upstream, available.get(new, []))
            told.append(missing(wish["source"], (name, packages[name]["version"]), (new, pinned.get(new, driver)), there, remove))
    return found, picked, told


def fit(packages, available, driver, new, pinned):
    """Versions that ``new`` can have. What is installed needs no source. pinned: the only build that counts, or None."""
    there = [*available.get(new, []), *filter(None, [state.installed(packages, new)])]
    return [one for one in there if versions.upstream(one) == driver and pinned in (None, one)]


def missing(source, old, new, there, remove):
    """The message about one that would stay behind. old, new: (name, version) each; there: versions that the source has."""
    has, then = PLACES[source]
    return (
        "%s %s is on this host and has to be of the driver's version: %s no %s %s (there is: %s). Nothing was changed. Remove it (%s %s), "
        "%s, or choose another driver."
        % (*old, has, *new, ", ".join(sorted(set(there), key=versions.kernel_key)) or "none", remove, old[0], then)
    )


def old_names(besides):
    """Those, sorted, that are called otherwise for the new driver and would stay of the old one."""
    return sorted(name for name, new in besides.items() if name != new)
