# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a file is signed by the key that was named: gpgv's own words, judged.

Status lines: GnuPG, doc/DETAILS, GOODSIG and VALIDSIG, whose last field is the fingerprint of the primary key. gpgv reads no ASCII armour;
RFC 4880, section 6.2, says how that is made.
"""

from __future__ import annotations

import base64
import binascii
import re

ARMOUR = re.compile(rb"-----BEGIN PGP [A-Z ]+-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)\r?\n(?:=[^\r\n]{4}\r?\n)?-----END PGP", re.DOTALL)
FINGERPRINT = re.compile(r"^[0-9A-F]{40}$")


def plain(fingerprint):
    """A fingerprint without what people put into it; None when it is none."""
    found = re.sub(r"[\s:]", "", fingerprint).upper()
    found = found[2:] if found.startswith("0X") else found
    return found if FINGERPRINT.match(found) else None


def binary(data):
    """The key without ASCII armour. :raises ValueError: for a damaged one."""
    match = ARMOUR.search(data)
    if not match:
        return data
    try:
        return base64.b64decode(b"".join(match.group(1).split()), validate=True)
    except binascii.Error as error:
        raise ValueError("its ASCII armour is damaged (%s)" % error) from error


def command(program, keyring, signature, path):
    return [program, "--status-fd", "1", "--keyring", keyring, signature, path]


def judge(output, fingerprint):
    """Why the signature is no proof, from gpgv's status lines; "" when it is good and by the key of this fingerprint."""
    lines = [line.split()[1:] for line in output.splitlines() if line.startswith("[GNUPG:] ") and len(line.split()) > 1]
    words = {line[0] for line in lines}
    signers = sorted({line[-1].upper() for line in lines if line[0] == "VALIDSIG"})
    if "BADSIG" in words:
        return "the file is not what was signed"
    if signers and signers != [fingerprint]:
        return "it is by the key %s" % ", ".join(signers)
    if "EXPKEYSIG" in words or "REVKEYSIG" in words:
        return "the key has expired or was revoked"
    if "EXPSIG" in words:
        return "the signature has expired"
    if "GOODSIG" in words and signers:
        return ""
    return "the key that was given did not make it" if "NO_PUBKEY" in words else "gpgv finds no signature in it"
