# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Version and licence of a kernel module's file, from the .modinfo section of its ELF object.

Layout: System V ABI, ELF-64 object file format; .modinfo: NUL-terminated key=value strings (include/linux/moduleparam.h).
"""

from __future__ import annotations

import struct

SECTION = struct.Struct("<IIQQQQIIQQ")
MOST_SECTIONS, MOST_INFO = 0xFFFF, 1024 * 1024


def parse_info(data):
    """Bytes of a .modinfo section -> {key: first value}."""
    found = {}
    for entry in data.split(b"\0"):
        key, sign, text = entry.partition(b"=")
        if sign:
            found.setdefault(key.decode("ascii", "replace"), text.decode("utf-8", "replace"))
    return found


def read(slice_of):
    """{key: value} of an object whose bytes ``slice_of(start, count)`` gives; {} for what is no little-endian ELF-64 object."""
    header = slice_of(0, 64)
    if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
        return {}
    table, size, count, names_at = (
        struct.unpack_from("<Q", header, 0x28)[0],
        *struct.unpack_from("<HHH", header, 0x3A),
    )
    if size < SECTION.size or not 0 < count <= MOST_SECTIONS or names_at >= count or table >= 1 << 48:
        return {}
    raw = slice_of(table, size * count)
    if len(raw) < size * count:
        return {}
    sections = [SECTION.unpack_from(raw, size * index) for index in range(count)]
    names = section(slice_of, sections[names_at])
    for entry in sections:
        if names[entry[0] : entry[0] + 9] == b".modinfo\0":
            return parse_info(section(slice_of, entry))
    return {}


def section(slice_of, entry):
    """The bytes of one section, or none for one that is beyond any sense."""
    offset, size = entry[4], entry[5]
    return slice_of(offset, size) if size <= MOST_INFO and offset < 1 << 48 else b""


def parse_printed(text):
    """What `modinfo FILE` prints -> {key: first value}."""
    found = {}
    for line in text.splitlines():
        key, sign, rest = line.partition(":")
        if sign:
            found.setdefault(key.strip(), rest.strip())
    return found


def flavor(licence):
    """Which of NVIDIA's two kernel modules has this licence; None for neither."""
    return {"NVIDIA": "proprietary", "Dual MIT/GPL": "open"}.get(licence)
