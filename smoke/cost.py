# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may and does cost, in US dollars. Pure.

What an hour costs beside the instance is rounded up from the list prices of the dearest regions: 60 GiB of gp3 (aws.amazon.com/ebs/pricing)
and a public IPv4 address (aws.amazon.com/vpc/pricing). Traffic into EC2 is free, and next to nothing goes out.
"""

from __future__ import annotations

import math

#: After this the run ends itself, whatever it is at, and removes what it made …
LIMIT_MINUTES = 60
#: … for which it has this long. The host powers itself off then, if nobody has ended it.
REMOVAL_MINUTES = 20
HOURS = (LIMIT_MINUTES + REMOVAL_MINUTES) / 60
BESIDE_HOURLY = 0.03
DISK_GIB = 60
#: No GPU of EC2 was ever to be had for less: a bound below that finds nothing, after a minute of waiting.
LEAST_HOURLY = 0.05


def most_hourly(max_usd: float) -> float:
    """The most that an hour of the instance may cost, rounded down to what AWS counts in."""
    return math.floor((max_usd / HOURS - BESIDE_HOURLY) * 10_000) / 10_000


def worst(hourly: float) -> float:
    """What a run costs at most, with the instance at that price until the end."""
    return (hourly + BESIDE_HOURLY) * HOURS


def least() -> float:
    return math.ceil(worst(LEAST_HOURLY) * 100) / 100


def sentence(max_usd: float) -> str:
    """The arithmetic, for people."""
    hourly = max(most_hourly(max_usd), 0)
    return (
        f"{max_usd:g} USD for at most {LIMIT_MINUTES} + {REMOVAL_MINUTES} minutes are {hourly:.4f} USD an hour for the instance"
        f" and {BESIDE_HOURLY:g} for its disk and address"
    )


def estimate(hourly: float | None, seconds: float) -> float | None:
    """What an instance at that price and what stands beside it cost for so long; EC2 bills by the second, a minute at least."""
    return None if hourly is None else (hourly + BESIDE_HOURLY) * max(seconds, 60.0) / 3600
