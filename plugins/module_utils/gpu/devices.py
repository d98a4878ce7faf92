# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Names, models and architectures of NVIDIA's PCI devices.

Names: the PCI ID database (https://pci-ids.ucw.cz, version 2025-06 as in Debian 13); 3182 and 2c3a from the list of supported GPUs in
the README of NVIDIA's open kernel modules, release 580, and their chips by their neighbours in the database. Models are those of the
table of EC2 types (types.py), and the like for other data center hardware. The architecture follows from the chip's name.
"""

from __future__ import annotations

import re

# device id: (name, model)
DEVICES = {
    0x102D: ("GK210GL [Tesla K80]", "k80"),
    0x13F2: ("GM204GL [Tesla M60]", "m60"),
    0x15F7: ("GP100GL [Tesla P100 PCIe 12GB]", "p100"),
    0x15F8: ("GP100GL [Tesla P100 PCIe 16GB]", "p100"),
    0x15F9: ("GP100GL [Tesla P100 SXM2 16GB]", "p100"),
    0x1B38: ("GP102GL [Tesla P40]", "p40"),
    0x1BB3: ("GP104GL [Tesla P4]", "p4"),
    0x1DB1: ("GV100GL [Tesla V100 SXM2 16GB]", "v100"),
    0x1DB3: ("GV100GL [Tesla V100 FHHL 16GB]", "v100"),
    0x1DB4: ("GV100GL [Tesla V100 PCIe 16GB]", "v100"),
    0x1DB5: ("GV100GL [Tesla V100 SXM2 32GB]", "v100"),
    0x1DB6: ("GV100GL [Tesla V100 PCIe 32GB]", "v100"),
    0x1DB8: ("GV100GL [Tesla V100 SXM3 32GB]", "v100"),
    0x1DF6: ("GV100GL [Tesla V100S PCIe 32GB]", "v100"),
    0x1EB4: ("TU104GL [T4G]", "t4g"),
    0x1EB8: ("TU104GL [Tesla T4]", "t4"),
    0x20B0: ("GA100 [A100 SXM4 40GB]", "a100"),
    0x20B1: ("GA100 [A100 PCIe 40GB]", "a100"),
    0x20B2: ("GA100 [A100 SXM4 80GB]", "a100"),
    0x20B3: ("GA100 [A100-SXM-64GB]", "a100"),
    0x20B5: ("GA100 [A100 PCIe 80GB]", "a100"),
    0x20B7: ("GA100GL [A30 PCIe]", "a30"),
    0x20F1: ("GA100 [A100 PCIe 40GB]", "a100"),
    0x2235: ("GA102GL [A40]", "a40"),
    0x2236: ("GA102GL [A10]", "a10"),
    0x2237: ("GA102GL [A10G]", "a10g"),
    0x2321: ("GH100 [H100L 94GB]", "h100"),
    0x2329: ("GH100 [H20]", "h20"),
    0x232C: ("GH100 [H20 HBM3e]", "h20"),
    0x2330: ("GH100 [H100 SXM5 80GB]", "h100"),
    0x2331: ("GH100 [H100 PCIe]", "h100"),
    0x2335: ("GH100 [H200 SXM 141GB]", "h200"),
    0x2336: ("GH100 [H100]", "h100"),
    0x2337: ("GH100 [H100 SXM5 64GB]", "h100"),
    0x2338: ("GH100 [H100 SXM5 96GB]", "h100"),
    0x2339: ("GH100 [H100 SXM5 94GB]", "h100"),
    0x233B: ("GH100 [H200 NVL]", "h200"),
    0x2342: ("GH100 [GH200 120GB / 480GB]", "gh200"),
    0x2348: ("GH100 [GH200 144G HBM3e]", "gh200"),
    0x26B5: ("AD102GL [L40]", "l40"),
    0x26B9: ("AD102GL [L40S]", "l40s"),
    0x27B6: ("AD104GL [L2]", "l2"),
    0x27B8: ("AD104GL [L4]", "l4"),
    0x2901: ("GB100 [B200]", "b200"),
    0x2941: ("GB100 [HGX GB200]", "gb200"),
    0x2BB5: ("GB202GL [RTX PRO 6000 Blackwell Server Edition]", "rtx-pro-server-6000"),
    0x2C3A: ("GB203GL [RTX PRO 4500 Blackwell Server Edition]", "rtx-pro-4500"),
    0x3182: ("GB110 [B300]", "b300"),
}
NVSWITCHES = {0x1AF1: "GA100 [A100 NVSwitch]", 0x22A3: "GH100 [H100 NVSwitch]"}
ARCHITECTURES = (
    ("GB", "blackwell"),
    ("GH", "hopper"),
    ("AD", "ada"),
    ("GA", "ampere"),
    ("TU", "turing"),
    ("GV", "volta"),
    ("GP", "pascal"),
    ("GM", "maxwell"),
    ("GK", "kepler"),
    ("GF", "fermi"),
)
# Where distributions keep the database; read only for a device that the table does not know.
DATABASES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids")


def architecture(name):
    """'GA102GL [A10G]' -> 'ampere'; None for a chip that begins like none of these."""
    found = re.match(r"([A-Z]{2})\d", name or "")
    return dict(ARCHITECTURES).get(found.group(1)) if found else None


def look_up(device, database):
    """(name, model) of an NVIDIA device id; ``database()`` gives the text of a pci.ids when the table does not know it."""
    if device in DEVICES:
        return DEVICES[device]
    return NVSWITCHES.get(device) or nvidia_names(database()).get(device), None


def nvidia_names(text):
    """{device id: name} of vendor 10de in the text of a pci.ids."""
    found, ours = {}, False
    for line in text.splitlines():
        if line[:1] not in ("", "\t", "#"):
            if ours:
                break
            ours = line.lower().startswith("10de ")
        elif ours:
            match = re.match(r"\t([0-9a-fA-F]{4})\s+(\S.*)", line)
            if match:
                found[int(match.group(1), 16)] = match.group(2).strip()
    return found
