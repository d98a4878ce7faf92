# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of declarations that several tests use."""

from __future__ import annotations

from typing import Any

BOOKWORM = {"ssm": "/aws/service/debian/release/12/latest/amd64"}
TRIXIE = {"ssm": "/aws/service/debian/release/13/latest/amd64"}
NO_CAPACITY = "InsufficientInstanceCapacity"
#: The sections that a test of pools leaves out.
QUIET: dict[str, Any] = dict.fromkeys(("buckets", "repositories", "identity"))


def pool(**more: Any) -> dict[str, Any]:
    return {"name": "train", "count": 2, "instance_types": ["g5.xlarge"], "image": BOOKWORM, **more}
