# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Passwords in addresses of indexes and proxies."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

_USERINFO = re.compile(r"(?<=://)[^\s/@]*(?:@[^\s/@]*)*@(?=[^\s/])")


def of_url(url):
    """What in an address must not be shown: the password, percent-encoded and plain; a token that stands alone as the user."""
    try:
        parts = urlsplit(url or "")
        secret = parts.password or parts.username
    except ValueError:
        return []
    return sorted({secret, unquote(secret)}) if secret else []


def hide(text):
    """The text with user and password of each address in it hidden."""
    return _USERINFO.sub("***@", text or "")
