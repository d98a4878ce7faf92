# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples for Packer and Image Builder name variables, playbooks and files that there are. Neither program can be run here."""

from __future__ import annotations

import re

from scripts import tree

FOLDER = tree.CHECKOUT / "examples" / "golden-image"
COMPONENT = tree.load(FOLDER / "image-builder.yml")


def test_settings_are_variables_of_the_roles_that_are_baked():
    settings = tree.load(FOLDER / "settings.yml")
    known = {name for role in [*settings["mlinfra_configure"], "seal"] for name in tree.argument_specs(role)["main"]["options"]}
    assert set(settings) - {"mlinfra_configure"} <= known and settings["seal_confirm"] == "default"


def test_packer_runs_the_playbook():
    text = (FOLDER / "golden.pkr.hcl").read_text()
    assert text.count("{") == text.count("}") and text.count("[") == text.count("]")
    named = re.findall(r"\$\{path\.root\}/([\w.]+)", text)
    assert set(named) == {"bake.yml", "settings.yml"} and all((FOLDER / name).is_file() for name in named)
    assert [play["ansible.builtin.import_playbook"] for play in tree.load(FOLDER / "bake.yml")] == ["mlinfra.hosts.bake"]
    assert 'groups          = ["mlinfra_hosts"]' in text


def test_image_builder_component_is_of_the_documented_form():
    assert (COMPONENT["schemaVersion"], [phase["name"] for phase in COMPONENT["phases"]]) == (1.0, ["build", "test"])
    parameters = {name for one in COMPONENT["parameters"] for name in one}
    steps = [step for phase in COMPONENT["phases"] for step in phase["steps"]]
    used = {name for step in steps for name in re.findall(r"{{ (\w+) }}", str(step["inputs"]))}
    assert used == parameters
    for step in steps:
        assert set(step) == {"name", "action", "inputs"} and re.fullmatch(r"\w+", step["name"])
        assert (step["action"] == "ExecuteBash") == ("commands" in step["inputs"]), step["name"]
    assert "mlinfra.hosts.bake" in steps[2]["inputs"]["commands"][-1], "sealing is the last thing that the build does"
