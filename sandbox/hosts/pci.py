# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PCI devices that an instance type shows, as a tree to be bound over a host's /sys/bus/pci.

Device ids: the PCI ID database (pci.ids as in Debian 13), and for B300 and RTX PRO 4500 the list of supported GPUs in the README of
NVIDIA's open kernel modules, release 580. Subsystem ids have no such source: they only make the tree complete, and nothing may decide
by them. What is not a GPU: as lspci shows it on Nitro instances (Amazon's vendor id is 1d0f).
Layout of config: PCI Local Bus Specification 3.0, section 6.1.
"""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from sandbox.hosts.gpu_types import gpu_of

NVIDIA, AMAZON, INTEL = 0x10DE, 0x1D0F, 0x8086
DISPLAY_3D, BRIDGE_OTHER, ETHERNET, NVME = 0x030200, 0x068000, 0x020000, 0x010802

# model: {memory in MiB of one GPU, or 0 for all: (device, subsystem device)}
GPU_IDS: dict[str, dict[int, tuple[int, int]]] = {
    "t4": {0: (0x1EB8, 0x12A2)},
    "t4g": {0: (0x1EB4, 0x157D)},
    "a10g": {0: (0x2237, 0x152F)},
    "l4": {0: (0x27B8, 0x16CA)},
    "l40s": {0: (0x26B9, 0x1851)},
    "v100": {16384: (0x1DB1, 0x1212), 0: (0x1DB5, 0x1249)},
    "a100": {40960: (0x20B0, 0x134F), 0: (0x20B2, 0x1463)},
    "h100": {0: (0x2330, 0x16C1)},
    "h200": {0: (0x2335, 0x18BE)},
    "b200": {0: (0x2901, 0x1999)},
    "b300": {0: (0x3182, 0x20E6)},
    "rtx-pro-4500": {0: (0x2C3A, 0x21F4)},
    "rtx-pro-server-6000": {0: (0x2BB5, 0x204E)},
}
# NVSwitches that the operating system sees; from Blackwell on they are reached through a ConnectX bridge instead.
NVSWITCHES = {"a100": (0x1AF1, 6), "h100": (0x22A3, 4), "h200": (0x22A3, 4)}
# Elastic Fabric Adapter by generation (pci.ids knows efa0 to efa3); which type has which later one is a guess from their order.
EFA_IDS = {"p5en": 0xEFA2, "p6-b200": 0xEFA3, "p6-b300": 0xEFA3, "p5": 0xEFA1, "p5e": 0xEFA1}


@dataclass(frozen=True)
class Device:
    """One function. ``code`` is the 24-bit class code."""

    address: str
    vendor: int
    device: int
    code: int
    sub_vendor: int = 0
    sub_device: int = 0
    revision: int = 0
    driver: str = ""


def gpu_ids(model: str, memory_mib: int) -> tuple[int, int]:
    """(device, subsystem device) of a model.

    :raises KeyError: the table above does not know the model.
    """
    rows = GPU_IDS[model]
    return rows.get(memory_mib) or rows[0]


def devices(instance_type: str) -> list[Device]:
    """What lspci shows on this type: chipset, display, disk and network, then fabric adapters, NVSwitches and GPUs."""
    found = [
        Device("0000:00:00.0", INTEL, 0x1237, 0x060000),
        Device("0000:00:01.0", INTEL, 0x7000, 0x060100),
        Device("0000:00:01.3", INTEL, 0x7113, 0x000000, revision=0x08),
        Device("0000:00:03.0", AMAZON, 0x1111, 0x030000, 0x1D0F, 0x1111),
        Device("0000:00:04.0", AMAZON, 0x8061, NVME, AMAZON, 0x0000, driver="nvme"),
        Device("0000:00:05.0", AMAZON, 0xEC20, ETHERNET, AMAZON, 0xEC20, driver="ena"),
    ]
    gpu = gpu_of(instance_type)
    if gpu is None:
        return found
    efa = EFA_IDS.get(instance_type.split(".")[0], 0xEFA0)
    found += [Device(_slot(0x10, i), AMAZON, efa, ETHERNET, AMAZON, efa, driver="efa") for i in range(gpu.efa)]
    switch, switches = NVSWITCHES.get(gpu.model, (0, 0)) if gpu.nvswitch else (0, 0)
    found += [Device(_slot(0x40, i), NVIDIA, switch, BRIDGE_OTHER, NVIDIA, switch, 0xA1) for i in range(switches)]
    device, subsystem = gpu_ids(gpu.model, gpu.memory_mib)
    # A slice of a GPU is one virtual function to the guest, so it is there although the count is 0.
    visible = gpu.count or (1 if gpu.fractional else 0)
    found += [Device(_slot(0x80, i), NVIDIA, device, DISPLAY_3D, NVIDIA, subsystem, 0xA1) for i in range(visible)]
    return found


def _slot(bus: int, index: int) -> str:
    return f"0000:{bus + index // 16:02x}:{0x10 + index % 16:02x}.0"


def config_space(device: Device) -> bytes:
    """The 256 bytes of a type 0 header without capabilities."""
    command = 0x0006  # memory space and bus master
    head = struct.pack("<HHHHB", device.vendor, device.device, command, 0x0010 if device.driver else 0, device.revision)
    head += device.code.to_bytes(3, "little") + bytes(4)  # cache line, latency, header type 0, self test
    head += bytes(24) + bytes(4)  # six base addresses, CardBus pointer
    head += struct.pack("<HH", device.sub_vendor, device.sub_device)
    return head.ljust(256, b"\0")


def write_tree(root: Path, found: list[Device]) -> None:
    """Write what /sys/bus/pci is to be; an older tree at ``root`` is replaced."""
    if root.exists():
        shutil.rmtree(root)
    for name in ("devices", "drivers", "slots"):
        (root / name).mkdir(parents=True)
    (root / "drivers_autoprobe").write_text("1\n", encoding="ascii")
    for device in found:
        place = root / "devices" / device.address
        place.mkdir()
        for name, text in _attributes(device).items():
            (place / name).write_text(text + "\n", encoding="ascii")
        (place / "config").write_bytes(config_space(device))
        if device.driver:
            driver = root / "drivers" / device.driver
            driver.mkdir(exist_ok=True)
            (place / "driver").symlink_to(f"../../drivers/{device.driver}")
            (driver / device.address).symlink_to(f"../../devices/{device.address}")


def _attributes(device: Device) -> dict[str, str]:
    vendor, number, code = f"{device.vendor:04X}", f"{device.device:04X}", f"{device.code:06X}"
    sub = f"{device.sub_vendor:04X}", f"{device.sub_device:04X}"
    alias = f"pci:v0000{vendor}d0000{number}sv0000{sub[0]}sd0000{sub[1]}bc{code[:2]}sc{code[2:4]}i{code[4:]}"
    driver = [f"DRIVER={device.driver}"] if device.driver else []
    uevent = [*driver, f"PCI_CLASS={device.code:X}", f"PCI_ID={vendor}:{number}", f"PCI_SUBSYS_ID={sub[0]}:{sub[1]}"]
    return {
        "vendor": f"0x{device.vendor:04x}", "device": f"0x{device.device:04x}", "class": f"0x{device.code:06x}",
        "subsystem_vendor": f"0x{device.sub_vendor:04x}", "subsystem_device": f"0x{device.sub_device:04x}",
        "revision": f"0x{device.revision:02x}", "irq": "0", "numa_node": "-1", "enable": "1", "local_cpulist": "0", "modalias": alias,
        "uevent": "\n".join([*uevent, f"PCI_SLOT_NAME={device.address}", f"MODALIAS={alias}"]),
        "resource": "\n".join(["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 7),
    }  # fmt: skip
