# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of roles, for which no host is needed: decisions in Jinja are tested as others are."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests.unit.roles.driver_shapes import GPU, NO_CHANGE

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


@pytest.fixture
def ask(value_of):
    """Function (variable, facts of the GPUs, platform, settings) → value on a host."""

    def value(name, facts, system="Debian-12", **settings):
        distribution, major = system.split("-")
        units = {"nvidia-fabricmanager.service": {"active": "inactive", "enabled": "enabled"}}
        host = {"platform_names": [system], "distribution": distribution, "distribution_major_version": major}
        return value_of(
            "nvidia_driver",
            name,
            inventory_hostname="gpu1",
            ansible_facts={
                "mlinfra_gpu": {**GPU, **facts},
                "mlinfra_platform": {**host, "architecture": "x86_64", "virtualization": "podman"},
            },
            __nvidia_driver_fabric={"units": units},
            **{"__nvidia_driver_change": NO_CHANGE, **settings},
        )

    return value


@pytest.fixture
def problems(ask):
    return lambda facts, **settings: " ".join(ask("_nvidia_driver_problems", facts, **settings))
