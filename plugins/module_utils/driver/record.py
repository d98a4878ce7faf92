# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a host has of a driver, as pins, and what it had before the last change: so that it can be returned to.

pins.json is {schema: 1, current: pins, previous: pins or null}. Pins that were given are kept as they came; for a driver that was installed
by branch or version, or that somebody else brought, they are made of the packages that are there.
"""

from __future__ import annotations

import json

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import going_along, state, versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, pins, tables

SCHEMA = 1
EMPTY = {"schema": SCHEMA, "current": None, "previous": None}
NOTHING = {"cuda": None, "framework": None, "mode": "compatible", "mig": False}


def parse(text):
    """Text of pins.json -> {schema, current, previous}; what is no pins is null."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    return dict(EMPTY, **{key: found[key] for key in ("current", "previous") if found.get(key) and not pins.shape_problems(found[key])})


def text(recorded):
    return json.dumps(recorded, indent=2, sort_keys=True) + "\n"


def driver_names(platform, source, version, flavor):
    """All packages of a driver with versions that pins have for it: its own, the persistence daemon, fabric manager, subnet manager."""
    branch = tables.branch_of(version)
    fabric = names.fabric_manager(platform, source, branch)
    daemon = names.persistence(platform, source, branch, flavor)
    return names.driver(platform, source, branch, flavor) + [name for name in (daemon, fabric) if name] + [names.NVLSM]


def beside(known, version):
    """{name: version} of what is installed besides a driver and is of its version."""
    there = {name: state.installed(known, name) for name in going_along.here(known, version)}
    return {name: one for name, one in there.items() if versions.upstream(one) == version}


def of_driver(found):
    """Those packages of pins that are the driver's."""
    wanted = driver_names(found["platform"], found["source"], found["driver"]["version"], found["driver"]["flavor"])
    return {name: found["packages"][name] for name in wanted if name in found["packages"]}


def holds(found, known):
    """Whether the packages of the driver in these pins are what is installed. known: see state.packages."""
    own = of_driver(found)
    # What is pinned for NVSwitches is not installed without them.
    extra = set(own) - set(names.driver(found["platform"], found["source"], found["driver"]["branch"], found["driver"]["flavor"]))
    return bool(set(own) - extra) and all(
        state.installed(known, name) == version or name in extra and not state.installed(known, name) for name, version in own.items()
    )


def snapshot(known, host, kernels, first_source=None):
    """Pins of the driver whose packages are installed; None where there is none that has all of them in one version.

    host: see resolve.host.of; kernels: releases that it is built for; first_source: the one to look for first.
    """
    if not host["platform"]:
        return None
    for source in sorted(("nvidia", "distribution"), key=lambda one: one != first_source):
        for flavor in ("open", "proprietary", None):
            for version in user_spaces(known, host["platform"], source):
                wanted = names.driver(host["platform"], source, tables.branch_of(version), flavor)
                have = [state.installed(known, name) for name in wanted]
                if wanted and all(one and versions.upstream(one) == version for one in have):
                    return written(known, host, kernels if flavor else [], (source, flavor, version))
    return None


def user_spaces(known, platform, source):
    """Driver versions of which the first package of a user space is installed, the newest first."""
    found = {versions.upstream(one["version"]) for name, one in known.items() if one["version"] and names.INTERESTING.match(name)}
    drivers = [one for one in found if versions.is_driver(one)]
    return sorted(
        (one for one in drivers if state.installed(known, (names.driver(platform, source, tables.branch_of(one), None) or [""])[0])),
        key=versions.kernel_key,
        reverse=True,
    )


def written(known, host, kernels, chosen):
    """Pins of schema 1 of what is installed. chosen: (source, flavor, version)."""
    source, flavor, version = chosen
    platform, packages, listed = host["platform"], beside(known, version), []
    for name in driver_names(platform, source, version, flavor):
        if state.installed(known, name):
            packages[name] = state.installed(known, name)
    for release in kernels:
        parts = {"headers": names.headers(platform, release)[0], "image": names.image(platform, release)}
        there = {part: name for part, name in parts.items() if name and state.installed(known, name)}
        packages.update({name: state.installed(known, name) for name in there.values()})
        listed.append({"release": release, "headers": there.get("headers"), "image": there.get("image")})
    fabric = names.fabric_manager(platform, source, tables.branch_of(version))
    return {
        "schema": pins.SCHEMA,
        "platform": platform,
        "machine": host["machine"],
        "source": source,
        "gpu": {
            "models": [one["model"] for one in host["gpus"] if one["model"]],
            "architectures": sorted({one["architecture"] for one in host["gpus"] if one["architecture"]}),
            "nvswitch": host["nvswitch"],
            "nvlsm": host["nvlsm"],
        },
        "wish": dict(NOTHING),
        "driver": {
            "version": version,
            "branch": tables.branch_of(version),
            "flavor": flavor,
            "dkms": tables.dkms_name(source, platform, version, flavor),
        },
        "fabric_manager": packages.get(fabric),
        "nvlsm": packages.get(names.NVLSM),
        "cuda": None,
        "container_toolkit": None,
        "dcgm": None,
        "kernels": listed,
        "packages": dict(sorted(packages.items())),
    }


def before(recorded, known, found):
    """Pins of the host as it is before a change: those that were written down where they still hold, else the snapshot ``found``."""
    current = recorded["current"]
    return current if current and holds(current, known) else found


def after(recorded, was, now):
    """What to write down. was: see before(); now: pins of the host as it is, or as it will be; None leaves all as it is."""
    if now is None:
        return recorded
    moved = was is not None and (differ(of_driver(was), of_driver(now)) or was["driver"]["flavor"] != now["driver"]["flavor"])
    return {"schema": SCHEMA, "current": now, "previous": was if moved else recorded["previous"]}


def differ(one, other):
    """Whether packages of both have other versions, or they have none in common: one that only came along makes no other driver."""
    both = set(one) & set(other)
    return not both or any(one[name] != other[name] for name in both)


def now(wished, was, found):
    """Pins of a host whose driver is settled: those that were asked for, else those that were written down with what came since.

    wished: pins or None; was: see before(); found: the snapshot.
    """
    if wished:
        return wished
    if was is None or found is None or of_driver(was) != of_driver(found):
        return found
    here = {one["release"] for one in was["kernels"]}
    new = [one for one in found["kernels"] if one["release"] not in here]
    besides = {name: version for name, version in found["packages"].items() if names.beside(name, found["driver"]["branch"])}
    if not new and besides.items() <= was["packages"].items():
        return was
    packages = {name: found["packages"][name] for one in new for name in (one["headers"], one["image"]) if name}
    return dict(was, kernels=list(was["kernels"]) + new, packages=dict(sorted(dict(was["packages"], **packages, **besides).items())))
