# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module and plugin has a complete page, check mode, its action group and a test."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from functools import cache

import pytest

from scripts import tree

SUPPORT = {"full", "partial", "none"}


@cache
def _pages(kind: str) -> dict:
    """ansible-doc's pages of one plugin type. What ansible-doc warns about fails."""
    names = [f"{tree.COLLECTION}.{name}" for found, name in tree.plugins() if found == kind]
    done = subprocess.run(["ansible-doc", "--json", "-t", kind, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    return json.loads(done.stdout)


@cache
def _tests() -> str:
    """The text of all tests but this folder's, which name nothing."""
    kept = [path for path in tree.files() if path.parts[0] in ("tests", "molecule") and path.parts[:2] != ("tests", "enumerate")]
    return "\n".join((tree.CHECKOUT / path).read_text(errors="replace") for path in kept)


def test_there_are_plugins():
    assert tree.modules()
    assert ("inventory", "ec2_gpu") in tree.plugins()


@pytest.mark.parametrize(("kind", "name"), tree.plugins())
def test_page(kind, name):
    page = _pages(kind).get(f"{tree.COLLECTION}.{name}")
    assert page, f"ansible-doc -t {kind} shows nothing for {name}"
    for field in ("short_description", "description", "version_added"):
        assert page["doc"].get(field), f"{name} has no {field}"
    assert page["examples"], f"{name} has no EXAMPLES"
    if kind in ("module", "filter", "lookup", "test"):
        assert page["return"], f"{name} has no RETURN"
    undescribed = [option for option, spec in (page["doc"].get("options") or {}).items() if not spec.get("description")]
    assert not undescribed, f"{name} has options without a description: {undescribed}"


@pytest.mark.parametrize("name", tree.modules())
def test_attributes(name):
    attributes = _pages("module")[f"{tree.COLLECTION}.{name}"]["doc"].get("attributes") or {}
    for attribute in ("check_mode", "diff_mode"):
        assert attributes.get(attribute, {}).get("support") in SUPPORT | {"N/A"}, f"{name} does not say whether it supports {attribute}"
    assert attributes["check_mode"]["support"] == "full", f"{name}: every module here has a check mode"


@pytest.mark.parametrize("name", tree.modules())
def test_check_mode(name):
    module = ast.parse((tree.CHECKOUT / "plugins" / "modules" / f"{name}.py").read_text())
    given = [
        keyword.value
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "supports_check_mode"
    ]
    assert given, f"{name} passes no supports_check_mode"
    assert all(isinstance(value, ast.Constant) and value.value is True for value in given), (
        f"{name} passes supports_check_mode other than True"
    )


@pytest.mark.parametrize("name", sorted({name for _kind, name in tree.plugins()} | set(tree.action_plugins())))
def test_has_a_test(name):
    assert re.search(rf"(?<![a-z0-9_]){re.escape(name)}(?![a-z0-9_])", _tests()), f"no file of tests/ or molecule/ names {name}"


@pytest.mark.parametrize("name", tree.action_plugins())
def test_action_plugin_has_its_module(name):
    assert name in tree.modules(), f"plugins/action/{name}.py has no module to carry its documentation"


def test_action_groups_hold_the_aws_modules():
    """A module with AWS' connection options belongs into the group that module_defaults sets them through; no other does."""
    with_connection = {
        name for name in tree.modules() if "amazon.aws.common.modules" in tree.documentation(name).get("extends_documentation_fragment", [])
    }
    group = tree.load(tree.CHECKOUT / "meta" / "runtime.yml")["action_groups"]["aws"]
    assert with_connection
    assert {entry for entry in group if isinstance(entry, str)} == with_connection
    assert {"metadata": {"extend_group": ["amazon.aws.aws"]}} in group
