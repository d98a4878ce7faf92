# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What joins GPUs and hosts: NVSwitches, and EFA devices of EC2, as the PCI bus shows them before any driver.

NVSwitches: devices.py. EFA: https://github.com/amzn/amzn-drivers, kernel/linux/efa/src/efa_main.c, table of PCI ids.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices, pci

AMAZON = 0x1D0F
EFA = (0xEFA0, 0xEFA1, 0xEFA2, 0xEFA3)


def look(host):
    """{nvswitches: [device], efa: {devices: [device], module: {is_loaded, version}}}"""
    switches, adapters = [], []
    for address in host.names(pci.BUS):
        if not pci.ADDRESS.match(address):
            continue
        vendor = pci.number(host.text("%s/%s/vendor" % (pci.BUS, address), 64))
        if vendor not in (pci.NVIDIA, AMAZON, None):
            continue
        # Disks and network interfaces are Amazon's, too, and many.
        if vendor == AMAZON and pci.number(host.text("%s/%s/device" % (pci.BUS, address), 64)) not in EFA + (None,):
            continue
        function = pci.read_function(host, address)
        if function["vendor"] == pci.NVIDIA and not pci.is_gpu(function) and pci.is_nvswitch(function):
            switches.append(dict(describe(host, address, function), name=devices.NVSWITCHES.get(function["device"])))
        elif function["vendor"] == AMAZON and function["device"] in EFA:
            adapters.append(describe(host, address, function))
    return {"nvswitches": switches, "efa": {"devices": adapters, "module": module(host)}}


def describe(host, address, function):
    return {
        "address": address.lower(),
        "device": None if function["device"] is None else "%04x" % function["device"],
        "kernel_driver": host.link("%s/%s/driver" % (pci.BUS, address)),
        "responds": function["responds"],
    }


def module(host):
    """Whether the efa module is loaded, and its version; null where it says none."""
    version = host.text("/sys/module/efa/version", 256).strip()
    known = re.match(r"^[0-9][0-9A-Za-z.+-]{0,30}$", version)
    return {"is_loaded": host.is_folder("/sys/module/efa"), "version": version if known else None}
