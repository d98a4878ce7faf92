# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches that make moto answer as AWS does, one concern a module.

Each module has a docstring with what AWS does and where that is written, and ``apply()``, which is called once after moto is imported.
``NAMES`` is their order; the server's ``--without-patch NAME`` leaves one out, so that a test can show what it mends.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection

NAMES: tuple[str, ...] = (
    "error_status", "images", "public_parameters", "bucket_defaults", "bucket_ownership", "bucket_lifecycle", "secure_transport",
    "network_dependencies", "nat_gateways", "profile_propagation", "volumes", "interfaces", "metadata_options", "instance_attributes",
    "termination_protection", "public_addresses", "spot_prices", "launch", "launch_checks", "reservations", "lifecycle", "client_token",
    "placement_groups", "network_cards", "fleets",
    "service_quotas", "cpu_options", "spot_role", "instance_filters", "schedules", "network_tokens", "profile_roles",
)


def apply(without: Collection[str] = ()) -> list[str]:
    """Apply all but ``without`` and return the names of those applied.

    :raises ValueError: ``without`` names a patch that does not exist.
    """
    unknown = set(without) - set(NAMES)
    if unknown:
        raise ValueError(f"no patch {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    applied = [name for name in NAMES if name not in without]
    for name in applied:
        importlib.import_module(f"{__name__}.{name}").apply()
    return applied
