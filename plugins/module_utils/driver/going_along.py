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
    "local": ("the local repository has", "use one that has it"),
    "distribution": ("the distribution's sources have", "add a source that has it"),
}


def here(packages, driver, source="nvidia", lost=()):
    """{name here: [names that it may have for this driver, the usual one first]}.

    packages: see state.packages, rpms.packages; lost: see state.lost.
    """
    branch = int(driver.split(".")[0])
    there = {name for name in packages if state.installed(packages, name)}
    found = {name: names.beside(name, branch, source) for name in sorted(there.union(lost))}
    return {name: called for name, called in found.items() if called}


def behind(packages, driver, source, lost=(), pinned=None):
    """Those, sorted, that are not of the driver that is here: it has moved without them. pinned: {name: version} of pins."""
    found, pinned = here(packages, driver, source, lost), pinned or {}
    return [name for name, called in found.items() if not any(fit(packages, {}, driver, new, pinned.get(new)) for new in called)]


def driver_of(job):
    """The version that is to come."""
    return versions.upstream(job.picked[job.wish["packages"][0]])


def wanted(job):
    """Names to ask a package manager about, sorted; empty when nothing has to go along."""
    found = here(job.seen["packages"], driver_of(job), job.wish["source"], job.seen["lost"])
    return sorted({one for called in found.values() for one in called})


def take(job, available, remove):
    """Set job.besides and add to job.picked. Returns messages about what would stay behind. available: {name: [versions]}."""
    job.besides, picked, told = chosen(job.wish, job.seen["packages"], available, driver_of(job), remove, job.seen["lost"])
    job.picked.update(picked)
    return told


def chosen(wish, packages, available, driver, remove, lost=()):
    """({name here: name for the new driver}, {that name: version}, [messages]) of what is here. Pins that name it say which build.

    What a killed change took off has the name for the new driver in place of a name here.
    """
    found, picked, told = {}, {}, []
    pinned = (wish["pins"] or {}).get("packages") or {}
    for name, called in here(packages, driver, wish["source"], lost).items():
        fitting = {new: fit(packages, available, driver, new, pinned.get(new)) for new in called}
        new = next((one for one in called if fitting[one]), called[0])
        gone = not state.installed(packages, name)
        found[new if gone else name] = new
        if fitting[new]:
            picked[new] = versions.newest(fitting[new])
        elif new in pinned and versions.upstream(pinned[new]) != driver:
            told.append(
                "nvidia_driver_pins.packages.%s is %s: it has to be of exactly the driver's version, %s. Nothing was changed. Leave it "
                "out of the pins, or give it that version." % (new, pinned[new], driver)
            )
        else:
            there = available.get(new, []) if new in pinned else map(versions.upstream, available.get(new, []))
            told.append(missing(wish["source"], (name, packages.get(name)), (new, pinned.get(new, driver)), there, remove))
    return found, picked, told


def fit(packages, available, driver, new, pinned):
    """Versions that ``new`` can have. What is installed needs no source. pinned: the only build that counts, or None."""
    there = [*available.get(new, []), *filter(None, [state.installed(packages, new)])]
    return [one for one in there if versions.upstream(one) == driver and pinned in (None, one)]


def missing(source, old, new, there, remove):
    """The message about one that would stay behind.

    old: (name, what is known of it); new: (name, version); there: versions that the source has.
    """
    (has, then), (name, package) = PLACES[source], old
    version = (package or {}).get("version")
    what = "%s %s is on this host" % (name, version) if version else "%s was on this host when a change of the driver was stopped," % name
    leave = "Remove it (%s %s)" % (remove, name) if version else "Empty %s (: > %s) to go without it" % (state.BEGUN, state.BEGUN)
    has_now = ", ".join(sorted(set(there), key=versions.kernel_key)) or "none"
    return (
        "%s and has to be of the driver's version: %s no %s %s (there is: %s). Nothing was changed. %s, %s, or choose another driver."
        % (what, has, *new, has_now, leave, then)
    )


def old_names(besides):
    """Those, sorted, that are called otherwise for the new driver and would stay of the old one."""
    return sorted(name for name, new in besides.items() if name != new)
