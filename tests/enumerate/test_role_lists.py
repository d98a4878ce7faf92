# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list option may be given as a text, which the check of arguments takes for a list: every role takes it as that list, and not raw."""

from __future__ import annotations

import re

import pytest

from scripts import tree

# Handed on as it is, to a module that splits and trims it: it is asked for in many tasks of many roles.
HANDED_ON = {"mlinfra_gpu_target": r"target: \"\{\{ mlinfra_gpu_target \| default\(\[\], true\) \}\}\""}
USERS = [path for path in tree.files() if path.parts[0] in ("roles", "playbooks") and path.suffix in (".yml", ".j2")]
TEXTS = {path: (tree.CHECKOUT / path).read_text() for path in USERS if not {"defaults", "meta", "files"} & set(path.parts)}


def _lists(options: dict) -> dict[str, str]:
    return {name: one.get("elements", "str") for name, one in options.items() if one.get("type") == "list"}


def _specs():
    for role in tree.roles():
        for spec in tree.argument_specs(role).values():
            for name, option in spec.get("options", {}).items():
                yield role, name, option


OPTIONS = sorted({(name, option.get("elements", "str")) for role, name, option in _specs() if option.get("type") == "list"})
INNER = sorted({(role, name) for role, outer, option in _specs() for name in _lists(option.get("options", {}))})


def _raw(pattern: str, elements: str, text: str) -> list[str]:
    """Lines of YAML or Jinja that use what the pattern finds, outside of comments and literals, without the filter."""
    asked = r"mlinfra\.hosts\.listed" + (r"\('dict'\)" if elements == "dict" else r"(?!\()")
    found = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        code = re.sub("'[^']*'", lambda literal: literal[0] if literal[0] == "'dict'" else "''", line)
        uses = [one for one in re.finditer(pattern, code) if not code[one.end() :].startswith(":")]
        if any(not re.match(rf"( \| default\([^)]*\))? \| {asked}", code[one.end() :]) for one in uses):
            found.append(line.strip())
    return found


def test_there_are_options():
    assert {"container_runtime_users", "cuda_toolkit_versions", "mig_layout"} <= {name for name, elements in OPTIONS}
    assert ("container_runtime", "mirrors") in INNER


@pytest.mark.parametrize(("name", "elements"), OPTIONS)
def test_list_is_taken_as_one(name, elements):
    raw = [(str(path), line) for path, text in TEXTS.items() for line in _raw(rf"(?<![\w./]){name}\b", elements, text)]
    if name in HANDED_ON:
        raw = [(path, line) for path, line in raw if re.search(r"\{\{[^}]*" + name, line) and not re.search(HANDED_ON[name], line)]
    how = "mlinfra.hosts.listed('dict')" if elements == "dict" else "mlinfra.hosts.listed"
    assert not raw, f"{name} may be a text: write {name} | {how} in {raw}"


@pytest.mark.parametrize(("role", "name"), INNER)
def test_list_within_an_option_is_taken_as_one(role, name):
    of_role = {path: text for path, text in TEXTS.items() if path.parts[:2] == ("roles", role)}
    raw = [(str(path), line) for path, text in of_role.items() for line in _raw(rf"(?<=[a-z])\.{name}\b", "str", text)]
    assert not raw, f"{name} may be a text: write .{name} | mlinfra.hosts.listed in {raw}"


@pytest.mark.parametrize(
    ("line", "elements", "raw"),
    [
        ("  x: \"{{ some_list }}\"", "str", True),
        ("  x: \"{{ some_list | length }}\"", "str", True),
        ("  x: \"{{ some_list | mlinfra.hosts.listed | length }}\"", "str", False),
        ("  x: \"{{ some_list | default([]) | mlinfra.hosts.listed }}\"", "str", False),
        ("  x: \"{{ some_list | mlinfra.hosts.listed }}\"", "dict", True),
        ("  x: \"{{ some_list | mlinfra.hosts.listed('dict') }}\"", "dict", False),
        ("  x: \"{{ 'some_list is wrong' }}\"", "str", False),
        ("  some_list: []", "str", False),
        ("  # some_list", "str", False),
    ],
)  # fmt: skip
def test_raw_use_is_seen(line, elements, raw):
    assert bool(_raw(r"(?<![\w./])some_list\b", elements, line)) is raw
