# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the firmware checks what boots (UEFI Secure Boot), and so whether modules must be signed.

UEFI Specification 2.10, sections 3.3 (global variables) and 8.2; efivarfs puts four bytes of attributes before a value
(https://docs.kernel.org/filesystems/efivarfs.html). MokSBStateRT: shim does not check although the firmware does
(https://github.com/rhboot/shim, MokVars.txt).
"""

from __future__ import annotations

EFI = "/sys/firmware/efi"
GLOBAL, SHIM = "8be4df61-93ca-11d2-aa0d-00e098032b8c", "605dab50-e046-4300-abb6-3dd810dd8b23"


def value(host, name, vendor):
    """The one-byte value of a variable; None when it is not there or not as long."""
    data = host.data("%s/efivars/%s-%s" % (EFI, name, vendor), 64)
    return data[4] if len(data) == 5 else None


def look(host, container):
    """enabled | disabled | unsupported (no UEFI, or firmware without it) | unknown"""
    if not host.is_folder(EFI):
        # A container may simply not be shown the firmware.
        return "unknown" if container else "unsupported"
    on = value(host, "SecureBoot", GLOBAL)
    if on is None:
        readable = [name for name in host.names(EFI + "/efivars") if name.endswith(GLOBAL)]
        return "unsupported" if readable and "SecureBoot-" + GLOBAL not in readable else "unknown"
    if value(host, "SetupMode", GLOBAL) == 1 or value(host, "MokSBStateRT", SHIM) == 1:
        return "disabled"
    return "enabled" if on == 1 else "disabled"
