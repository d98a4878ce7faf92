# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Our part of an authorized_keys file: a block between two marks, around which everything stays as it is.

Format: sshd(8), AUTHORIZED_KEYS FILE FORMAT.
"""

from __future__ import annotations

import base64
import binascii
import re

BEGIN = "# BEGIN mlinfra.hosts"
END = "# END mlinfra.hosts"
KEY = re.compile(r"(?:^|\s)((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,3})(?:\s|$)")


def problem(line):
    """What keeps a line from being one public key, in words without the line; None when nothing does."""
    if "PRIVATE KEY" in line:
        return "is a private key: give the public one, from the file that ends in .pub"
    if "\n" in line.strip():
        return "has several lines: give each key as an entry of its own"
    match = KEY.search(line.strip())
    if not match:
        return "is no public key in OpenSSH's format: expected one line as in 'ssh-ed25519 AAAAC3Nz... name'"
    try:
        blob = base64.b64decode(match.group(2), validate=True)
    except binascii.Error:
        blob = b""
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != match.group(1).encode("ascii") or len(blob) <= 4 + size:
        return "is cut off or garbled: its base64 part does not hold a key of its type"
    return None


def block(text):
    """The keys between our marks; None when there is no block."""
    lines = text.splitlines()
    if BEGIN not in lines or END not in lines[lines.index(BEGIN) :]:
        return None
    begin = lines.index(BEGIN)
    return lines[begin + 1 : lines.index(END, begin)]


def with_block(text, keys):
    """The file's text with these keys as our block, at its place or at the end; without a block when there are no keys."""
    lines = text.splitlines()
    ours = [BEGIN] + list(keys) + [END] if keys else []
    if block(text) is None:
        return "".join(line + "\n" for line in lines + ours)
    begin = lines.index(BEGIN)
    return "".join(line + "\n" for line in lines[:begin] + ours + lines[lines.index(END, begin) + 1 :])
