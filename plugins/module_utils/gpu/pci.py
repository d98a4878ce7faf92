# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""NVIDIA's devices on the PCI bus, as the kernel shows them before any driver is there.

sysfs: https://docs.kernel.org/PCI/sysfs-pci.html; layout of config: PCI Local Bus Specification 3.0, section 6.1;
class codes: the same, appendix D.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices

BUS = "/sys/bus/pci/devices"
NVIDIA = 0x10DE
DISPLAY, BRIDGE_OTHER = 0x03, 0x0680
ADDRESS = re.compile(r"^[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$")


def number(text):
    """'0x10de\\n' -> 4318; None for what is no number."""
    return int(text, 16) if re.match(r"^(0x)?[0-9a-fA-F]{1,6}\s*$", text) else None


def parse_config(config):
    """The first bytes of a configuration space -> {vendor, device, class}; {} when they do not say.

    All bytes are ff when the device does not answer any more.
    """
    if len(config) < 12 or config[:4] == b"\xff\xff\xff\xff":
        return {}
    return {
        "vendor": int.from_bytes(config[0:2], "little"),
        "device": int.from_bytes(config[2:4], "little"),
        "class": int.from_bytes(config[9:12], "little"),
    }


def read_function(host, address):
    """{vendor, device, class, responds} of one PCI function; numbers are None where neither file says."""
    folder = "%s/%s" % (BUS, address)
    found = {name: number(host.text("%s/%s" % (folder, name), 64)) for name in ("vendor", "device", "class")}
    config = host.data(folder + "/config", 64)
    raw = parse_config(config)
    found = {name: raw.get(name) if value is None else value for name, value in found.items()}
    found["responds"] = not config or bool(raw)
    return found


def describe(host, address, function, database):
    """One device as the facts have it."""
    name, model = devices.look_up(function["device"], database)
    return {
        "address": address.lower(),
        "vendor": "%04x" % NVIDIA,
        "device": None if function["device"] is None else "%04x" % function["device"],
        "class": None if function["class"] is None else "%06x" % function["class"],
        "name": name,
        "model": model,
        "architecture": devices.architecture(name),
        "kernel_driver": host.link("%s/%s/driver" % (BUS, address)),
        "responds": function["responds"],
    }


def is_gpu(function):
    """Whether an NVIDIA function is a GPU: a display controller, not the audio beside it; without a class, one of the table."""
    if function["class"] is None:
        return function["device"] in devices.DEVICES
    return function["class"] >> 16 == DISPLAY


def is_nvswitch(function):
    return function["device"] in devices.NVSWITCHES or (function["class"] is not None and function["class"] >> 8 == BRIDGE_OTHER)


def look(host):
    """{devices: [GPU, in order of address], nvswitch_count, bus: whether there is a PCI bus to read at all}."""
    names = [name for name in host.names(BUS) if ADDRESS.match(name)]
    cache = []

    def database():
        if not cache:
            cache.append(next((text for text in map(host.text, devices.DATABASES) if text), ""))
        return cache[0]

    gpus, switches = [], 0
    for address in names:
        function = read_function(host, address)
        if function["vendor"] != NVIDIA:
            continue
        if is_gpu(function):
            gpus.append(describe(host, address, function, database))
        elif is_nvswitch(function):
            switches += 1
    return {"devices": gpus, "nvswitch_count": switches, "bus": bool(names)}
