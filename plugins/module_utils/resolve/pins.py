# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Pins: what was resolved, written down, so that another host or day gets the same.

Schema 1 is a dict of plain values: ``schema``; ``platform``, ``machine`` and ``source`` that its packages are of; ``gpu``, what it was
resolved for (for people: another host is judged by its own GPUs); ``wish`` {cuda, framework, mode, mig}; ``driver`` {version, branch,
flavor, dkms}; ``fabric_manager``, ``nvlsm``, ``container_toolkit``, ``dcgm``, each a package's version or null; ``cuda`` {release, toolkit}
or null; ``kernels`` [{release, headers, image}]; and ``packages`` {name: version}, which is what a package manager is told. No day is in
it: the same host, wish and sources give the same pins.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import candidates, conflicts, cuda, kernels, names, rules, tables
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import host as hosts
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import wish as wishes

SCHEMA = 1
AGAIN = "Resolve again for this host."
# Key: types that its value may have.
SHAPE = {
    "schema": (int,), "platform": (str,), "machine": (str,), "source": (str,), "wish": (dict,), "driver": (dict,), "kernels": (list, tuple),
    "packages": (dict,), "cuda": (dict, type(None)), "fabric_manager": (str, type(None)), "nvlsm": (str, type(None)),
}  # fmt: skip
WORDS = {int: "a number", str: "a text", dict: "a mapping", list: "a list", type(None): "null"}


def make(host, wish, chosen, kernels, packages):
    """Pins of what was chosen. chosen: see resolve.choose; kernels: see kernels.resolve; packages: {name: version} of everything."""
    driver, source = chosen["driver"], wish["source"]
    fabric = names.fabric_manager(host["platform"], source, tables.branch_of(driver)) if rules.with_fabric(host, wish) else None
    release = cuda.text(chosen["release"]) if chosen["release"] else None
    toolkit = cuda.toolkit_package(chosen["release"]) if chosen["toolkit"] else None
    return {
        "schema": SCHEMA,
        "platform": host["platform"],
        "machine": host["machine"],
        "source": source,
        "gpu": {
            "models": [one["model"] for one in host["gpus"] if one["model"]],
            "architectures": sorted({one["architecture"] for one in host["gpus"] if one["architecture"]}),
            "nvswitch": host["nvswitch"],
            "nvlsm": host["nvlsm"],
        },
        "wish": {key: wish[key] for key in ("cuda", "framework", "mode", "mig")},
        "driver": {
            "version": driver,
            "branch": tables.branch_of(driver),
            "flavor": chosen["flavor"],
            "dkms": tables.dkms_name(source, host["platform"], driver, chosen["flavor"]),
        },
        "fabric_manager": packages.get(fabric),
        "nvlsm": packages.get(names.NVLSM),
        "cuda": {"release": release, "toolkit": toolkit} if release else None,
        "container_toolkit": packages.get(names.CONTAINER_TOOLKIT[0]),
        "dcgm": packages.get(names.DCGM + "-core"),
        "kernels": [dict(one) for one in kernels],
        "packages": dict(sorted(packages.items())),
    }


def shape_problems(pins):
    """Messages about what is no pins of this schema: they come from a file that people edit."""
    if not isinstance(pins, dict):
        return ["pins is %r: expected the dict that gpu_resolve returned as pins." % (pins,)]
    if pins.get("schema") != SCHEMA:
        said = _said(pins, "schema")
        return ["pins.schema is %s: this release of the collection knows schema %d. Resolve again with it." % (said, SCHEMA)]
    found = [
        "pins.%s is %s: expected %s. %s" % (key, _said(pins, key), " or ".join(WORDS[kind] for kind in kinds if kind is not tuple), AGAIN)
        for key, kinds in SHAPE.items()
        if not isinstance(pins.get(key, 0 if type(None) in kinds else None), kinds)
    ]
    if found:
        return found
    if not versions.is_driver(str(pins["driver"].get("version"))) or pins["driver"].get("flavor") not in ("open", "proprietary", None):
        found.append("pins.driver is %r: expected {version: as 580.95.05, flavor: open or proprietary}. %s" % (pins["driver"], AGAIN))
    if not all(is_kernel(one) for one in pins["kernels"]):
        found.append("pins.kernels is %r: expected a list of {release, headers, image}. %s" % (pins["kernels"], AGAIN))
    if not all(isinstance(one, str) for pair in pins["packages"].items() for one in pair):
        found.append("pins.packages is %r: expected {name: version}. %s" % (pins["packages"], AGAIN))
    return found


def _said(pins, key):
    return "missing" if key not in pins else "null" if pins[key] is None else repr(pins[key])


def is_kernel(one):
    """Whether it is {release, headers, image} as kernels.resolve makes them."""
    if not isinstance(one, dict) or not isinstance(one.get("release"), str):
        return False
    return all(one.get(key) is None or isinstance(one[key], str) for key in ("headers", "image"))


def wish_of(pins):
    """The wish that the pins answer, with the driver itself in it. A value that is no wish is told by wish.problems."""
    given = {key: pins["wish"].get(key) for key in ("cuda", "framework", "mode", "mig")}
    flavor = pins["driver"]["flavor"]
    given.update(source=pins["source"], version=pins["driver"]["version"], kernel_modules=flavor is not None, flavor=flavor)
    if pins["cuda"] and pins["cuda"].get("release"):
        given["cuda"] = pins["cuda"]["release"]
    return given


def apply(pins, gpu, platform, offered, today, besides=False):
    """{problems, rejected, warnings, pins, packages}: whether pins hold for a host, and which of their packages are for it.

    The pins come back as they are. Fabric manager and NVLSM are for hosts with that hardware only, so a host without it gets the rest.
    besides: whether what goes along with the driver has to be offered, too.
    """
    told = shape_problems(pins) or hosts.problems(gpu, platform) + candidates.problems(offered) + wishes.problems(wish_of(pins), today)
    if told:
        return {"problems": told, "rejected": [], "warnings": [], "pins": None, "packages": {}}
    host, wish = hosts.of(gpu, platform), wishes.of(wish_of(pins))
    host["kernels"] = [one["release"] for one in pins["kernels"]]
    # The CUDA that a framework brought was no wish: resolve takes an older one than a GPU's own, and warns that kernels are compiled late.
    asked = dict(wish, cuda=pins["wish"].get("cuda"))
    told = differs(pins, host) or ["pins: %s" % one for one in conflicts.problems(host, asked)]
    if told:
        return {"problems": told, "rejected": [], "warnings": [], "pins": None, "packages": {}}
    packages, warnings = for_host(pins, host, wish, besides)
    told = judged(pins, host, wish) + whole(pins, host, wish, packages) + offered_still(pins, host, packages, offered)
    told += kernels_there(pins, host, offered)
    if not besides and not gpu.get("container"):
        # A way back has to be judged by the kernels that the host has by then.
        missing, notices = kernels_beyond(pins, host, offered)
        told, warnings = told + missing, warnings + notices
    branch = tables.branch_of(wish["version"])
    if tables.is_past(tables.branch(branch).end, today):
        warnings.append("Driver branch %d of the pins is past its end of life: it gets no fixes any more." % branch)
    return {"problems": told, "rejected": [], "warnings": warnings, "pins": None if told else pins, "packages": {} if told else packages}


def differs(pins, host):
    """Messages about another kind of host, whose packages are others."""
    found = []
    for key, here in (("platform", host["platform"] or host["told_platform"]), ("machine", host["machine"])):
        if pins[key] != here:
            found.append("pins.%s is %s: this host is %s. %s" % (key, pins[key], here, AGAIN))
    return found


def judged(pins, host, wish):
    """The rules for the driver, over this host's GPUs and the pins' own packages."""
    driver, flavor = pins["driver"]["version"], pins["driver"]["flavor"]
    release = cuda.parse(wish["cuda"]) if wish["cuda"] else None
    why = (
        rules.known_by(driver, host) + (rules.modules(driver, flavor, host) if flavor else [])
        + rules.runs_cuda(driver, release, wish) + rules.partitions(driver, host, wish)
    )  # fmt: skip
    return ["pins.driver is %s%s: %s. %s" % (driver, " " + flavor if flavor else "", one, AGAIN) for one in why]


def whole(pins, host, wish, packages):
    """Whether all packages of the driver are pinned, and all at its version."""
    driver, found = pins["driver"]["version"], []
    for name in rules.packages(driver, pins["driver"]["flavor"], host, wish):
        have = packages.get(name)
        if have is None:
            found.append("pins.packages has no %s, which this host needs. %s" % (name, AGAIN))
        elif versions.upstream(have) != driver:
            found.append("pins.packages.%s is %s: it has to be of exactly the driver's version, %s. %s" % (name, have, driver, AGAIN))
    if wish["kernel_modules"] and host["nvlsm"] and names.NVLSM not in packages:
        found.append("pins.packages has no nvlsm, which this host needs. %s" % AGAIN)
    return found


def for_host(pins, host, wish, besides=False):
    """({name: version}, [warnings]): the pinned packages without those of hardware that this host has not, and what goes with a driver."""
    fabric = names.fabric_manager(pins["platform"], pins["source"], tables.branch_of(pins["driver"]["version"]))
    spare = [fabric] if not rules.with_fabric(host, wish) else []
    spare += [names.NVLSM] if not host["nvlsm"] else []
    left = [name for name in spare if name in pins["packages"]]
    warnings = ["%s is pinned, and this host has no NVSwitch for it: it is left out." % name for name in left]
    # What another host had besides its driver goes along where it is, and is judged there.
    left += [name for name in pins["packages"] if not besides and names.beside(name, pins["driver"]["branch"])]
    return {name: version for name, version in pins["packages"].items() if name not in left}, warnings


def of_installed_kernels(pins, host):
    """Names of packages that need no source, as what they bring is here."""
    kernel = host["kernel"]
    found = {one.get("headers") for one in pins["kernels"] if one["release"] in kernel["headers_for"]}
    return found | {one.get("image") for one in pins["kernels"] if one["release"] in kernel["installed"]}


def offered_still(pins, host, packages, offered):
    """Messages about pinned versions that no source has any more."""
    here = of_installed_kernels(pins, host)
    found = []
    for name, version in packages.items():
        there = offered.get(name, [])
        if version not in there and name not in here:
            instead = ", ".join(there[:4]) or "none"
            found.append(
                "pins.packages.%s is %s: no source of this host offers it any more (offered: %s). Use a mirror that keeps it, or "
                "resolve again." % (name, version, instead)
            )
    return found


def kernels_there(pins, host, offered):
    """Messages about kernels that this host neither has nor could get."""
    found, kernel = [], host["kernel"]
    for one in pins["kernels"] if pins["driver"]["flavor"] else []:
        release = one["release"]
        name, unused = names.headers(pins["platform"], release)
        if release not in kernel["headers_for"] and name not in pins["packages"] and not offered.get(name):
            found.append("pins.kernels has %s: its headers are neither installed here nor offered. %s" % (release, AGAIN))
        if release not in kernel["installed"] and one.get("image") not in pins["packages"] and not names.is_rpm(pins["platform"]):
            found.append(
                "pins.kernels has %s: this host has %s, and the pins have no package of that kernel. %s"
                % (release, ", ".join(kernel["installed"]) or "none that is known", AGAIN)
            )
    return found


def beyond(pinned, kernel):
    """Releases, oldest first, that a host starts in place of the pinned ones, since they are newer than each of these.

    The newest that is installed, and the running one where its headers are here: without them it only waits for the restart.
    pinned: releases; kernel: {running, installed, headers_for}.
    """
    least = max(map(versions.kernel_key, pinned), default=None)
    newest = max(kernel["installed"], key=versions.kernel_key, default=kernel["running"])
    wanted = {newest} | ({kernel["running"]} & set(kernel["headers_for"]))
    found = [one for one in wanted if one and least is not None and versions.kernel_key(one) > least]
    return sorted(found, key=versions.kernel_key)


def kernels_beyond(pins, host, offered):
    """([messages], [notices]) about kernels that are newer than those of the pins: the driver is built for them, too, or refused."""
    kernel, mine = host["kernel"], [one["release"] for one in pins["kernels"]]
    told, notices = [], []
    for release in beyond(mine, kernel) if pins["driver"]["flavor"] else []:
        what = "runs" if release == kernel["running"] else "would start"
        name, version = kernels.headers(pins["platform"], release, offered)
        if release in kernel["headers_for"] or version is not None:
            said = "This host %s kernel %s, which is newer than those of the pins (%s): the driver is built for it, too. "
            notices.append(said % (what, release, ", ".join(mine)) + "Resolve again to pin it.")
        else:
            told.append(
                "pins.kernels has %s: this host %s %s, which is newer, and the headers of that one are neither installed here nor offered "
                "(%s), so its GPUs would not work. Remove that kernel, add a source that has its headers, or resolve again for this host "
                "with kernel_upgrade." % (", ".join(mine), what, release, name)
            )
    return told, notices
