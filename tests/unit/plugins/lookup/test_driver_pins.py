# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup driver_pins: pins of a file or as they are, and what is wrong with them."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.mlinfra.hosts.plugins.lookup.driver_pins import LookupModule
from tests.unit.plugins.module_utils.resolve.test_pins import made


def look(value):
    (found,) = LookupModule(loader=DataLoader()).run([value], {})
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
