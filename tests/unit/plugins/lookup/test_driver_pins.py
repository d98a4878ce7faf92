# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup driver_pins: pins of a file or as they are, and what is wrong with them."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader

from tests.unit.plugins.module_utils.resolve.test_pins import made


def look(value, variables=None, **options):
    (found,) = lookup_loader.get("mlinfra.hosts.driver_pins", loader=DataLoader()).run([value], variables or {}, **options)
    return found


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_file_is_the_same_as_the_pins_themselves(tmp_path, write):
    path = tmp_path / "pins.yml"
    path.write_text(write(made()))
    assert look(str(path)) == look(made())
    assert look(made())["pins"] == made() and look(made())["problems"] == []
    assert look(made())["wish"]["version"] == made()["driver"]["version"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", ": it cannot be read (while parsing"),
        ("", "nvidia_driver_pins is None: expected the dict that gpu_resolve returned as pins. (in "),
        ("schema: 2", "nvidia_driver_pins.schema is 2: this release of the collection knows schema 1. Resolve again with it. (in "),
        ("\x00", ": it cannot be read ("),
        ("$ANSIBLE_VAULT;1.1;AES256\n31\n", ": it cannot be read ("),
    ],
)
def test_file_that_has_none(tmp_path, text, told):
    path = tmp_path / "pins.yml"
    path.write_text(text)
    found = look(str(path))
    assert told in found["problems"][0] and "pins.yml" in found["problems"][0]
    assert (found["pins"], found["wish"]) == (None, {})


def test_no_file():
    (told,) = look("nowhere.yml")["problems"]
    assert told.startswith("nvidia_driver_pins is nowhere.yml: there is no such file.")


def test_relative_path_says_where_it_was_looked_for(tmp_path):
    variables = {"ansible_search_path": [str(tmp_path / "role"), str(tmp_path), str(tmp_path)]}
    (told,) = look("pins.yml", variables, name="upgrade_pins")["problems"]
    assert told.startswith(
        f"upgrade_pins is pins.yml: there is no such file. It was looked for in {tmp_path}/role, {tmp_path} and in files/"
    )
    assert "Give an absolute path" in told
    (tmp_path / "pins.yml").write_text(json.dumps(made()))
    assert look("pins.yml", variables)["pins"] == made()


def test_absolute_path_is_to_be_corrected():
    (told,) = look("/nowhere/pins.yml")["problems"]
    assert "Correct the path; expected" in told and "looked for" not in told


def test_pins_are_told_by_the_name_of_their_variable():
    (told,) = look({"driver": {"branch": 535}}, name="cuda_toolkit_pins")["problems"]
    assert told.startswith("cuda_toolkit_pins.schema is missing: ")
