# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host made of files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host


class Tree:
    """Files below a folder, and the Host that reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = Host(str(root))

    def put(self, path: str, content: str | bytes = "") -> Path:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def folder(self, path: str) -> Path:
        target = self.root / path.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        return target

    def function(self, address: str, vendor: int, device: int, code: int, config: bytes | None = None) -> None:
        """A PCI function as sysfs has it."""
        base = f"/sys/bus/pci/devices/{address}/"
        self.put(base + "vendor", f"0x{vendor:04x}\n")
        self.put(base + "device", f"0x{device:04x}\n")
        self.put(base + "class", f"0x{code:06x}\n")
        self.put(base + "config", config_space(vendor, device, code) if config is None else config)


def config_space(vendor: int, device: int, code: int) -> bytes:
    return struct.pack("<HHHHB", vendor, device, 0, 0, 0xA1) + code.to_bytes(3, "little") + bytes(52)


def module_file(**info: str) -> bytes:
    """An ELF-64 object with these strings in .modinfo."""
    data = b"".join(f"{key}={text}".encode() + b"\0" for key, text in info.items())
    names = b"\0.text\0.modinfo\0.shstrtab\0"
    sections = [(0,) * 10, (1, 1, 6, 0, 64, 0, 0, 0, 1, 0), (7, 1, 2, 0, 64, len(data), 0, 0, 1, 0)]
    sections.append((16, 3, 0, 0, 64 + len(data), len(names), 0, 0, 1, 0))
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 1, 62, 1, 0, 0, 64 + len(data) + len(names), 0, 64, 0, 0, 64, 4, 3)
    return header + data + names + b"".join(struct.pack("<IIQQQQIIQQ", *section) for section in sections)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


DOCUMENTS = Path(__file__).parent / "smi_xml"


def recorded(name: str) -> str:
    """One of the documents that were written by hand to the schema of nvidia-smi -q -x."""
    return (DOCUMENTS / (name + ".xml")).read_text()


def bus_of(*addresses: str, **fields: object) -> dict:
    """What pci.look says of a bus with GPUs at these addresses."""
    device = {"model": "t4", "architecture": "turing", "kernel_driver": "nvidia", "responds": True, **fields}
    return {"devices": [dict(device, address=address) for address in addresses], "nvswitch_count": 0, "bus": True}
