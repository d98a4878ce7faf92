# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of roles, for which no host is needed: decisions in Jinja are tested as others are."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = Path(__file__).resolve().parents[3] / "roles"


@functools.cache
def variables(role):
    """{name: template} of a role's defaults and variables."""
    found = {}
    for path in [ROLES / role / "defaults" / "main.yml", *sorted((ROLES / role / "vars").rglob("*.yml"))]:
        found.update(DataLoader().load_from_file(str(path), trusted_as_template=True))
    return found


@pytest.fixture(scope="session")
def value_of():
    """Function (role, variable, what the host and the user say) → value."""

    def value(role, name, **given):
        known = {**variables(role), **given}
        noted = f"_{role}_noted"
        if noted in known:  # which the role's tasks do, once it has read the host
            known["_" + noted] = Templar(DataLoader(), variables=known).template(known[noted])
        return Templar(DataLoader(), variables=known).template(known[name])

    return value
