# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Machine owner keys: those that shim lets modules be signed with, and whether DKMS's own is among them.

EFI_SIGNATURE_LIST and EFI_CERT_X509_GUID: UEFI Specification 2.10, section 32.4.1; MokListRT, and MokNew, which waits for the operator at
the next start: https://github.com/rhboot/shim, MokVars.txt; where the key of DKMS is: dkms(8), framework.conf; Ubuntu's:
update-secureboot-policy(1).
"""

from __future__ import annotations

import struct

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.secure_boot import EFI, SHIM

X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
HEADER = struct.Struct("<16sIII")
CERTIFICATES = ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der")
FRAMEWORK = "/etc/dkms/framework.conf"
MOST = 1024 * 1024


def certificates(data):
    """Certificates (DER) in a sequence of signature lists; None where it is none."""
    found, at = [], 0
    while at < len(data):
        if len(data) - at < HEADER.size:
            return None
        kind, size, header, each = HEADER.unpack_from(data, at)
        if size < HEADER.size + header or at + size > len(data):
            return None
        if kind == X509 and each > 16:
            start, end = at + HEADER.size + header, at + size
            found += [data[place + 16 : place + each] for place in range(start, end - each + 1, each)]
        at += size
    return found


def enrolled(host):
    """Certificates that shim trusts beside those of the firmware; None where the host does not say."""
    data = host.data("%s/efivars/MokListRT-%s" % (EFI, SHIM), MOST) if host.exists("%s/efivars/MokListRT-%s" % (EFI, SHIM)) else b""
    # Four bytes of attributes stand before the value.
    return certificates(data[4:]) if len(data) > 4 else None


def key_paths(host):
    """Where certificates for signing modules may be on this host."""
    configured = []
    for line in host.text(FRAMEWORK, MOST).splitlines() if host.exists(FRAMEWORK) else []:
        name, sign, value = line.strip().partition("=")
        if sign and name.strip() == "mok_certificate" and value.strip("\"' ").startswith("/") and "$" not in value:
            configured.append(value.strip("\"' "))
    return configured + [path for path in CERTIFICATES if path not in configured]


def look(host, container):
    """{enrolled: how many, pending, keys: [{path, enrolled}]}; null for what the host does not say, as in a container.

    A key's `enrolled` tells whether modules that DKMS signs with it are loaded under Secure Boot.
    """
    if container or not host.is_folder(EFI):
        return {"enrolled": None, "pending": None, "keys": []}
    trusted = enrolled(host)
    there = host.is_folder(EFI + "/efivars")
    keys = []
    for path in key_paths(host):
        own = host.data(path, MOST) if host.exists(path) else b""
        if own:
            keys.append({"path": path, "enrolled": None if trusted is None else own in trusted})
    return {
        "enrolled": None if trusted is None else len(trusted),
        "pending": host.exists("%s/efivars/MokNew-%s" % (EFI, SHIM)) if there else None,
        "keys": keys,
    }
