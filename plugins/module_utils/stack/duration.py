# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Durations as people write them, and moments as tags carry them. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Optional

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60}
_FORM = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"  # letters, digits, - and : are possible in the values of tags everywhere


def seconds(text: str) -> Optional[int]:
    """``90m``, ``12h``, ``3d``, ``1d12h`` as seconds; None when it is no such text. The shortest unit is a minute."""
    found = _FORM.fullmatch(text.strip().lower())
    if not text.strip() or found is None:
        return None
    return sum(int(number) * size for number, size in zip(found.groups(), _UNITS.values()) if number)


def moment(epoch: int) -> str:
    """``2026-11-29T23:44:00Z``."""
    return datetime.fromtimestamp(epoch, timezone.utc).strftime(_MOMENT)


def epoch(text: Optional[str]) -> Optional[int]:
    """The reverse; None for what is no such moment."""
    try:
        return int(datetime.strptime(text or "", _MOMENT).replace(tzinfo=timezone.utc).timestamp())
    except ValueError:
        return None
