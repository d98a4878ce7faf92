# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that hold for every file: license header, length, no name of a registry or of one machine's folders."""

from __future__ import annotations

import re

import pytest

from scripts import tree

SOURCES = (".py", ".yml", ".yaml", ".j2", ".sh", ".cfg", ".toml", ".in", ".service", ".rego")
GENERATED = re.compile(r"(requirements|roles/[^/]*/files)/[^/]*\.txt|CHANGELOG\.(md|rst)|changelogs/(changelog\.yaml|\.plugin-cache\.yaml)")
MOST_LINES, MOST_TASK_LINES = 400, 100
# Written in halves, so that this file is not its own finding. Registries by host name; folders of the machines that this grew on.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "deb.debian" + ".org",
    "security.debian" + ".org",
    "registry.npm" + "js.org",
    "galaxy.ansible" + ".com",
]
# A host has a home of root, too: only what can be on a developer's machine alone counts. /home/me is everybody's.
MACHINE_PATHS = re.compile(r"(?<![\w.~$}/-])/(?:wor" + r"k/|roo" + r"t/\.|home/(?!me\b)\w)")

FILES = sorted(tree.files())
WRITTEN = [path for path in FILES if not GENERATED.fullmatch(path.as_posix()) and path.parts[0] != "LICENSES" and path.name != "LICENSE"]


def _text(path) -> str:
    return (tree.CHECKOUT / path).read_text(errors="replace")


def _is_source(path) -> bool:
    return path.suffix in SOURCES or path.name == "Makefile" or _text(path).startswith("#!")


# An empty __init__.py carries nothing to license, and ansible-test wants it empty.
SOURCE_FILES = [path for path in WRITTEN if _is_source(path) and _text(path).strip()]


def test_there_are_sources():
    assert len(SOURCE_FILES) > 50


@pytest.mark.parametrize("path", SOURCE_FILES, ids=str)
def test_license_header(path):
    expected = "BSD-2-Clause" if path.parts[:2] == ("plugins", "module_utils") else "GPL-3.0-or-later"
    head = "\n".join(_text(path).splitlines()[:12])
    assert f"SPDX-License-Identifier: {expected}" in head, f"{path} does not begin with SPDX-License-Identifier: {expected}"
    assert "Copyright (c) 2026 mlinfra.hosts contributors" in head, f"{path} does not begin with the copyright line"


def test_no_file_is_too_long():
    long = [(str(path), count) for path in WRITTEN if (count := len(_text(path).splitlines())) > MOST_LINES]
    assert not long, f"over {MOST_LINES} lines, want splitting: {long}"


def test_no_tasks_file_is_too_long():
    tasks = [path for path in WRITTEN if path.parts[0] == "roles" and "tasks" in path.parts]
    long = [(str(path), count) for path in tasks if (count := len(_text(path).splitlines())) > MOST_TASK_LINES]
    assert not long, f"over {MOST_TASK_LINES} lines, want splitting: {long}"


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_registry_is_named(host):
    naming = [str(path) for path in FILES if host in _text(path)]
    assert not naming, f"{host} is named in {naming}: what installs from it must take the machine's own configuration"


def test_no_folder_of_one_machine():
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in WRITTEN
        for number, line in enumerate(_text(path).splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert not found, "\n".join(found)


def test_python_defers_annotations():
    python = [(path, _text(path)) for path in WRITTEN if path.suffix == ".py"]
    late = [
        str(path)
        for path, text in python
        if "from __future__ import annotations" not in text and re.search("^(def|class|import|from)", text, re.M)
    ]
    assert not late, f"without 'from __future__ import annotations': {late}"


def test_no_failure_is_dropped_in_a_template():
    """`set` throws a call's failed arguments away with its result, and a list lacks an entry without a word; `if` raises them."""
    dropping = [str(path) for path in WRITTEN if path.suffix in (".yml", ".j2") and re.search(r"{%-?\s*set\s+_\s*=", _text(path))]
    assert not dropping, f"write {{% if list.append(…) %}}{{% endif %}}: {dropping}"
