# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quotas of the emulated account: large until ``PUT /sandbox/quotas`` says otherwise, since those of a new account allow no GPU.

Codes, names and defaults: https://docs.aws.amazon.com/general/latest/gr/ec2-service.html,
https://docs.aws.amazon.com/general/latest/gr/ebs-service.html
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Quota(NamedTuple):
    """``default`` is AWS's; what the account has is in ``QUOTAS``."""

    service: str
    name: str
    default: float


VCPUS, TEBIBYTES = 100_000.0, 5_000.0
KNOWN: dict[str, Quota] = {
    "L-DB2E81BA": Quota("ec2", "Running On-Demand G and VT instances", 0),
    "L-417A185B": Quota("ec2", "Running On-Demand P instances", 0),
    "L-1216C47A": Quota("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 5),
    "L-3819A6DF": Quota("ec2", "All G and VT Spot Instance Requests", 0),
    "L-7212CCBC": Quota("ec2", "All P4, P3 and P2 Spot Instance Requests", 0),
    "L-C4BD4855": Quota("ec2", "All P5 Spot Instance Requests", 0),
    "L-34B43A08": Quota("ec2", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 5),
    "L-7A658B76": Quota("ebs", "Storage for General Purpose SSD (gp3) volumes, in TiB", 50),
}


class Quotas:
    """Code → value of the account; None where it has none of its own, so that AWS's default is all there is to say."""

    def __init__(self) -> None:
        self._set: dict[str, float | None] = {}

    def change(self, raw: Any) -> None:
        """:raises ValueError: an unknown code, or a value that is neither a number nor null."""
        if not isinstance(raw, dict) or not set(raw) <= set(KNOWN):
            raise ValueError(f"quotas is an object with any of {', '.join(sorted(KNOWN))}: {raw!r}")
        for code, value in raw.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
                raise ValueError(f"{code} is {value!r}: expected a number, 0 or more, or null for no value of the account's own")
        self._set.update(raw)

    def reset(self) -> None:
        self._set.clear()

    def value(self, code: str) -> float | None:
        return self._set.get(code, VCPUS if KNOWN[code].service == "ec2" else TEBIBYTES)

    def state(self) -> dict[str, float | None]:
        return {code: self.value(code) for code in KNOWN}


#: The account's one set, read by the patch and changed through ``PUT /sandbox/quotas``.
QUOTAS = Quotas()
