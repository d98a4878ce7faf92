# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What role nvidia_driver wrote down on this host: the pins of the driver that is here and of the one before, and that it is the role's."""

from __future__ import annotations

import json

FOLDER = "/var/lib/mlinfra"
MANIFEST, PINS, BEGUN = FOLDER + "/nvidia_driver.json", FOLDER + "/nvidia_driver/pins.json", FOLDER + "/nvidia_driver/begun"
# Of apt: without it nothing but the holds keeps what is pinned.
PREFERENCES = "/etc/apt/preferences.d/mlinfra-nvidia"


def look(host):
    """{current, previous, preferences}: pins as they were written, null where none were or they cannot be read; whether apt has some."""
    try:
        found = json.loads(host.text(PINS) or "{}")
    except ValueError:
        found = {}
    known = found if isinstance(found, dict) else {}
    pins = {key: known.get(key) if isinstance(known.get(key), dict) else None for key in ("current", "previous")}
    return dict(pins, preferences=host.exists(PREFERENCES))


def is_managed(host, source):
    """Whether a driver of packages is one that the role installed, or was about to when it was stopped. source: packages, files, None."""
    return source == "packages" and (host.exists(MANIFEST) or host.exists(BEGUN))
