# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What pins (resolve/pins.py, schema 1) mean for the driver of one host: pure functions."""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import state
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, tables
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins as schema


def wish_of(pins):
    """{version, branch, flavor, kernel_modules, source, kernels} that pins ask of role nvidia_driver.

    pins: of the schema's shape. A mirror and a local repository have the packages of NVIDIA's; variables say where they are.
    """
    flavor = pins["driver"]["flavor"]
    return {
        "version": pins["driver"]["version"],
        "branch": tables.branch_of(pins["driver"]["version"]),
        "flavor": flavor or "open",
        "kernel_modules": flavor is not None,
        "source": pins["source"] if pins["source"] in ("distribution", "local") else "nvidia",
        "kernels": [one["release"] for one in pins["kernels"]],
    }


def exact(pins, wanted):
    """{name: version} of those names that are pinned; empty without pins."""
    pinned = pins["packages"] if pins else {}
    return {name: pinned[name] for name in wanted if name in pinned}


def kernel_packages(wish, seen, kernels):
    """Packages, as name or name=version, that bring kernels which are not here yet and the headers that are not; headers last."""
    pinned = (wish["pins"] or {}).get("packages") or {}
    listed = {one["release"]: one for one in (wish["pins"] or {}).get("kernels") or []}
    missing = [kernel for kernel in kernels if kernel in listed and kernel not in seen["installed_kernels"]]
    images = [image_package(wish, listed[kernel], seen) for kernel in missing]
    headers = [header_package(wish, listed, kernel) for kernel in kernels if kernel not in seen["header_kernels"]]
    return [spec(name, pinned) for name in images if name] + [spec(name, pinned) for name in headers]


def is_image(package):
    """Whether it is a kernel itself."""
    return bool(re.match(r"linux-image|kernel(\d+\.\d+)?-\d", package))


def image_package(wish, one, seen):
    """Package of a pinned kernel. One of rpm is told by its release alone; in a container kernels are the machine's."""
    platform = wish["pins"]["platform"]
    if names.is_rpm(platform):
        return "%s-%s" % (names.rpm_kernel(platform, one["release"]), one["release"]) if seen["installed_kernels"] else None
    return one.get("image")


def header_package(wish, listed, kernel):
    if wish["pins"] and names.is_rpm(wish["pins"]["platform"]):
        # All kernels' headers have one name there, and may be installed side by side.
        return wish["headers"].replace("KERNEL", kernel)
    return (listed.get(kernel) or {}).get("headers") or wish["headers"].replace("KERNEL", kernel)


def beyond(wish, seen):
    """Kernels of the host that it starts in place of the pinned ones, see resolve.pins.beyond; in a container they are the machine's."""
    if not wish["pins"] or not wish["kernel_modules"] or seen.get("container"):
        return []
    kernel = {"running": seen["running"], "installed": seen["installed_kernels"], "headers_for": seen["header_kernels"]}
    return schema.beyond(wish["kernels"], kernel)


def spec(name, pinned):
    return "%s=%s" % (name, pinned[name]) if name in pinned else name


def wished(job):
    """Packages, as name or name=version, that the wish asks of apt where the driver is not there yet."""
    wanted = [] if job.decided["settled"] else job.wish["packages"] + job.wish["companions"] + list(job.family)
    return [spec(name, dict(job.picked, **job.family)) for name in wanted]


def offered_with(offered, known):
    """What sources offer, with what is installed already: that needs no source. known: see state.packages."""
    found = {name: list(there) for name, there in offered.items()}
    for name in known:
        version = state.installed(known, name)
        if version and version not in found.setdefault(name, []):
            found[name].append(version)
    return found


def of_kernels(pins):
    """Packages of the pinned kernels."""
    return [one[part] for one in pins["kernels"] for part in ("headers", "image") if one.get(part)]


def packages_of_role(wish):
    """{name: version} of what is pinned for this role: other roles install the container toolkit and CUDA, and judge those themselves."""
    pins, mine = wish["pins"], wish["packages"] + wish["companions"] + of_kernels(wish["pins"])
    fabric = names.fabric_manager(pins["platform"], pins["source"], tables.branch_of(pins["driver"]["version"]))
    return exact(pins, mine + [name for name in (fabric, names.NVLSM) if name])


def problems(wish, gpu, platform, offered, today):
    """([messages], [notices]) about pins on this host: see resolve.pins.apply. Packages that are missing in them are told by name."""
    found = schema.apply(dict(wish["pins"], packages=packages_of_role(wish)), gpu, platform, offered, today)
    told = ["nvidia_driver_%s" % one if one.startswith("pins") else "nvidia_driver_pins: %s" % one for one in found["problems"]]
    if not told:
        absent = [name for name in wish["packages"] + wish["companions"] if name not in wish["pins"]["packages"]]
        told = ["nvidia_driver_pins.packages has no %s, which this host needs. %s" % (name, schema.AGAIN) for name in absent]
    return told, found["warnings"]
