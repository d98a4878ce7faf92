# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of pins for the four roles that want them: each takes a path or the pins, and refuses what are none."""

from __future__ import annotations

import functools
import json

import pytest

from tests.unit.plugins.module_utils.resolve.test_pins import made

HALF = {"driver": {"branch": 535}}
HOST = {"platform_names": ["Debian-12"], "distribution": "Debian", "distribution_major_version": "12", "architecture": "x86_64"}
PLATFORM = {"mlinfra_platform": HOST, "mlinfra_gpu": {}}
NO_PACKAGE = {"version": None, "status": "not-installed", "held": False}
# Role: variable of its pins, what is asked for its refusals, what else it is told.
ROLES = {
    "cuda_toolkit": ("cuda_toolkit_pins", "_cuda_toolkit_refusals", {"ansible_facts": PLATFORM}),
    "container_runtime": ("container_runtime_nvidia_pins", "_container_runtime_refusals", {"ansible_facts": {}}),
    "python_env": (
        "python_env_framework_pins",
        "_python_env_refusals",
        {"python_env_framework": "jax==0.7.2", "python_env_framework_lock": "/dev/null", "python_env_projects": []},
    ),
}


@pytest.fixture(params=ROLES)
def given(request, value_of):
    """(Function (pins, variable of the role, or its refusals) -> value, name of its option)."""
    option, refusals, more = ROLES[request.param]
    if request.param == "container_runtime":
        asked = {"container_runtime_engine": "docker", "_container_runtime_noted": {}}
        names, paths = (value_of(request.param, "_container_runtime_" + one, **asked) for one in ("looked_for", "paths"))
        found = {**HOST, "packages": dict.fromkeys(names, NO_PACKAGE), "paths": {path: {"exists": False, "sha256": None} for path in paths}}
        more = {**more, "__container_runtime_found": {**found, "users": {}, "units": {}, "contents": {}}}
    known = {"ansible_check_mode": False, "inventory_hostname": "gpu1", "inventory_dir": "/srv", "mlinfra_mirrors": {}, **more}
    return lambda pins, name=refusals: value_of(request.param, name, **known, **{option: pins}), option, request.param


def test_a_path_is_the_same_as_the_pins_themselves(given, tmp_path):
    ask, option, role = given
    path = tmp_path / "pins.json"
    path.write_text(json.dumps(made()))
    what = {
        "cuda_toolkit": "_cuda_toolkit_versions", "container_runtime": "_container_runtime_nvidia_version",
        "python_env": "_python_env_framework_cuda",
    }[role]  # fmt: skip
    assert ask(str(path), what) == ask(made(), what) != ask({}, what)
    assert ask(str(path)) == ask(made()) == ask({}) == []


def test_half_of_pins_is_refused(given):
    ask, option, role = given
    (told,) = ask(HALF)
    assert told.startswith(f"{option}.schema is missing: this release of the collection knows schema 1.")


def test_no_file_is_refused(given):
    ask, option, role = given
    (told,) = ask("/nowhere/pins.yml")
    assert told.startswith(f"{option} is /nowhere/pins.yml: there is no such file. Correct the path")


def test_toolkits_are_not_passed_over_for_pins_that_are_none(value_of):
    ask = functools.partial(value_of, "cuda_toolkit", "_cuda_toolkit_asked")
    assert ask(cuda_toolkit_pins=HALF) is True
    assert ask(cuda_toolkit_pins={}) is False
