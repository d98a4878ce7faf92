# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""bcrypt on the host through the C library's own libcrypt (libxcrypt), which login and PAM need anyway.

Python's crypt module is gone since 3.13, and neither passlib nor bcrypt is on a plain host or controller; libxcrypt has $2b$ on
Debian, Ubuntu, Fedora and RHEL 8 and later: https://manpages.debian.org/bookworm/libcrypt-dev/crypt.5.en.html
"""

from __future__ import annotations

import ctypes
import hmac
import re
import secrets

ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# 128 bits in 22 digits of 6 bits leave 4 unused bits in the last one: it has these values only.
LAST = ".Oeu"
LONGEST = 72
HASH = re.compile(r"^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$")
LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so.1.1", "libcrypt.so")


class BcryptError(Exception):
    """bcrypt cannot be computed here, or the password cannot be hashed with it."""


def new_salt(cost):
    """'$2b$10$' and 22 random digits."""
    return "$2b$%02d$%s%s" % (cost, "".join(secrets.choice(ALPHABET) for unused in range(21)), secrets.choice(LAST))


def password_problem(password):
    """What keeps this password from being hashed, in words without the password; None when nothing does."""
    size = len(password.encode("utf-8"))
    if size == 0:
        return "is empty"
    if size > LONGEST:
        return "has %d bytes, and bcrypt only looks at the first %d" % (size, LONGEST)
    if "\0" in password:
        return "contains a NUL character"
    return None


def library():
    """The crypt() of libcrypt as a Python function (bytes, bytes) -> bytes or None. Raises BcryptError when there is none."""
    for name in LIBRARIES:
        try:
            function = ctypes.CDLL(name).crypt
        except (OSError, AttributeError):
            continue
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
        function.restype = ctypes.c_char_p
        return function
    raise BcryptError("no libcrypt on this host (looked for %s): install the package libcrypt1 or libxcrypt" % ", ".join(LIBRARIES))


def bcrypt(password, setting, crypt=None):
    """Hash of the password with the cost and salt of `setting` (a salt or a whole hash). Raises BcryptError."""
    problem = password_problem(password)
    if problem:
        raise BcryptError("the password %s" % problem)
    answer = (crypt or library())(password.encode("utf-8"), setting.encode("ascii"))
    text = answer.decode("ascii") if answer else ""
    if not HASH.match(text):
        raise BcryptError("libcrypt of this host does not know bcrypt ($2b$): install libxcrypt")
    return text


def matches(password, hashed, cost, crypt=None):
    """Whether `hashed` is this password's bcrypt hash with this cost."""
    form = HASH.match(hashed or "")
    if not form or int(form.group(1)) != cost or password_problem(password):
        return False
    return hmac.compare_digest(bcrypt(password, hashed, crypt), hashed)
