# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long things take in the emulated AWS. Seconds; far shorter than in AWS, long enough that callers must wait."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Timing:
    pending: float = 0.4  # from RunInstances and StartInstances to running
    stopping: float = 0.3
    shutting_down: float = 0.3
    profile_propagation: float = 1.0  # until RunInstances knows a new instance profile
    visibility: float = 0.0  # until a new VPC, subnet, group or instance can be named in another EC2 call
    token_memory: float = 86400.0  # how long a ClientToken outlives its instances

    def change(self, raw: Any) -> None:
        """:raises ValueError: an unknown name or a value that is no number of seconds."""
        known = {one.name for one in fields(self)}
        if not isinstance(raw, dict) or not set(raw) <= known:
            raise ValueError(f"timing is an object with any of {', '.join(sorted(known))}: {raw!r}")
        for name, value in raw.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise ValueError(f"{name} is {value!r}: expected seconds, 0 or more")
            setattr(self, name, float(value))

    def reset(self) -> None:
        self.change(asdict(Timing()))

    def state(self) -> dict[str, float]:
        return asdict(self)


#: The emulator's one set, read by the patches and changed through ``PUT /sandbox/timing``.
TIMING = Timing()
