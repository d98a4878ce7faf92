# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""All facts of module gpu_facts, and the programs that are asked for them."""

from __future__ import annotations

import os
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import (
    cdi,
    dkms,
    driver_state,
    engine_settings,
    interconnect,
    kernels,
    loaded,
    modinfo,
    mok,
    packages,
    pci,
    per_gpu,
    recorded,
    running,
    secure_boot,
    smi,
    user_space,
    users,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import platform

# Seconds for the small programs.
SHORT = 15


class Programs:
    """The programs that the facts may ask, each bounded in time."""

    def __init__(self, module):
        self.find = lambda name: module.get_bin_path(name, opt_dirs=["/usr/local/bin", "/usr/local/sbin"])

    def output(self, name, *arguments):
        """What a program prints; '' where it is missing or fails."""
        path = self.find(name)
        done = running.run([path, *arguments], SHORT) if path else None
        return done.out if done and done.code == 0 else ""

    def modinfo(self, path):
        return modinfo.parse_printed(self.output("modinfo", path))

    def rpm(self, patterns):
        return self.output("rpm", "-qa", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\n", *patterns)

    def version(self, path):
        return running.run([path, "--version"], SHORT).said()

    def container(self):
        return platform.is_container(self.output("systemd-detect-virt", "--container").strip())

    def smi(self, timeout, is_loaded):
        """(facts of nvidia-smi, its outcome); it is not run, and the outcome is None, where it would have to load a driver first."""
        path = self.find("nvidia-smi")
        if path is None:
            return smi.nothing(), None
        if timeout <= 0:
            return smi.nothing(True, "not run: smi_timeout is %d" % timeout, "not_run"), None
        if not is_loaded:
            return smi.nothing(True, "not run: no NVIDIA kernel module is loaded, and nvidia-smi would try to load one", "not_run"), None
        outcome = running.run([path, "-q", "-x"], timeout)
        return smi.understand(outcome), outcome

    def links(self, timeout):
        """The outcome of asking nvidia-smi, which has just answered, for the NVLinks; timeout: what is left of its time."""
        if timeout <= 0:
            return running.Outcome(problem="not run: nvidia-smi -q -x took all of smi_timeout")
        return running.run([self.find("nvidia-smi"), "nvlink", "--status"], timeout)


def look(host, programs, smi_timeout):
    """All facts of a host."""
    container = programs.container()
    bus = pci.look(host)
    known = packages.read(host, programs.rpm)
    whole, half = packages.driver(known)
    on_disk = kernels.look(host, os.uname().release, programs.modinfo)
    in_memory = loaded.loaded(host)
    end = time.monotonic() + smi_timeout
    said, outcome = programs.smi(smi_timeout, in_memory["is_loaded"])
    gpus, notes = per_gpu.look(bus, said, outcome, lambda: programs.links(end - time.monotonic()))
    fabric = interconnect.look(host)

    def note(what, why):
        notes.append({"what": what, "why": why})

    libraries = user_space.versions(host)
    version = libraries[0] if libraries else packages.user_space(whole)
    nouveau = loaded.nouveau(host)
    source = packages.source(whole, half, version)
    state, reasons = driver_state.decide(
        {
            "user_space": version,
            "loaded": in_memory,
            "modules": on_disk["modules"],
            "kernel": on_disk["kernel"],
            "nouveau": nouveau,
            "smi_problem": said["problem"],
            "smi_error": said["error"],
            "half_installed": half,
            "container": container,
        }
    )
    # Where the bus is hidden, the driver may still show its GPUs.
    count = len(bus["devices"]) or (0 if bus["bus"] else len(said["gpus"]))
    return {
        "present": count > 0,
        "count": count,
        "devices": bus["devices"],
        "models": sorted({device["model"] for device in bus["devices"]} - {None}),
        "architectures": sorted({device["architecture"] for device in bus["devices"]} - {None}),
        "gpus": gpus,
        "users": users.look(host, in_memory["is_loaded"], [(gpu["now"] or {}).get("processes") for gpu in gpus], note),
        "nvswitch_count": bus["nvswitch_count"],
        "nvswitches": fabric["nvswitches"],
        "efa": fabric["efa"],
        "driver": {
            "installed": {
                "version": version,
                "versions": libraries,
                "source": source,
                "managed": recorded.is_managed(host, source),
                "flavor": flavor(on_disk["modules"], os.uname().release) or packages.flavor(whole),
                "packages": whole,
                "half_installed": half,
            },
            "loaded": in_memory,
            "modules": on_disk["modules"],
            "kernel_module_built_for": [found["kernel"] for found in on_disk["modules"]],
            "dkms": kernels.dkms_registered(host),
            "dkms_modules": dkms.look(host),
        },
        "pins": recorded.look(host),
        "driver_state": state,
        "driver_reasons": reasons,
        "nouveau": nouveau,
        "smi": said,
        "mig": smi.mig(said["gpus"]),
        "kernel": dict(on_disk["kernel"], without_headers=without_headers(on_disk["kernel"])),
        "secure_boot": secure_boot.look(host, container),
        "mok": mok.look(host, container),
        "engines": packages.engines(known, programs.find, programs.version),
        "engine_settings": engine_settings.look(host, note),
        "cdi": cdi.look(host, note),
        "container": container,
        # Last, when all has been read.
        "unread": unread(host.unread) + notes,
    }


def without_headers(kernel):
    return [release for release in kernel["installed"] if release not in kernel["headers_for"]]


def unread(reasons):
    """['path: reason'] -> [{what, why}]"""
    parts = [reason.rpartition(": ") for reason in reasons]
    return [{"what": what, "why": why} for what, unused, why in parts]


def flavor(modules, kernel):
    """Flavor of the module for a kernel, or of the newest one."""
    own = driver_state.module_for(modules, kernel)
    chosen = own or (modules[-1] if modules else None)
    return chosen["flavor"] if chosen else None
