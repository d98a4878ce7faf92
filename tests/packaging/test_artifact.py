# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the artifact, what Galaxy's importer says to it, and what it is like once installed."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile

import pytest

from scripts import tree

SHIPPED = {
    "CHANGELOG.md",
    "LICENSE",
    "LICENSES",
    "README.md",
    "CONTRIBUTING.md",
    "changelogs",
    "docs",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
}
SHIPPED |= {"roles", "tests", "FILES.json", "MANIFEST.json"}
# The importer gives ansible-lint 180 s, which a busy machine with two cores does not do; tests/lint runs it over the same files, in the
# same profile and without a limit.
IMPORTER = """\
[galaxy-importer]
ansible_local_tmp = {tmp}
run_ansible_doc = True
run_ansible_lint = False
run_ansible_test = False
run_flake8 = False
check_required_tags = True
check_changelog = True
log_level_main = INFO
"""


def test_only_what_a_user_needs_is_shipped(artifact):
    with tarfile.open(artifact) as packed:
        names = packed.getnames()
    assert {name.split("/")[0] for name in names} <= SHIPPED
    assert {"/".join(name.split("/")[:2]) for name in names if name.startswith("tests/")} <= {
        "tests/unit",
        "tests/sanity",
        "tests/config.yml",
        "tests/conftest.py",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_importer_takes_it(artifact, tmp_path):
    configuration = tmp_path / "importer.cfg"
    configuration.write_text(IMPORTER.format(tmp=tmp_path / "tmp"))
    environment = {**os.environ, "GALAXY_IMPORTER_CONFIG": str(configuration)}
    command = ["python", "-m", "galaxy_importer.main", str(artifact)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Importer processing completed successfully" in said, said
    complaints = [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR"))]
    assert not complaints, said


@pytest.fixture(scope="module")
def pages(installed, elsewhere) -> dict[str, dict]:
    """ansible-doc's pages of what is installed, by kind: it starts once a kind, not once a plugin."""
    folder, environment = elsewhere
    wished: dict[str, list[str]] = {"role": [f"{tree.COLLECTION}.{role}" for role in tree.roles()]}
    for kind, name in tree.plugins():
        wished.setdefault(kind, []).append(f"{tree.COLLECTION}.{name}")
    found = {}
    for kind, names in wished.items():
        command = ["ansible-doc", "--json", "-t", kind, *names]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[kind] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("kind", "name"), tree.plugins())
def test_ansible_doc_shows_the_installed_plugin(installed, pages, kind, name):
    page = pages[kind][f"{tree.COLLECTION}.{name}"]["doc"]
    assert page["short_description"]
    assert page["filename"].startswith(str(installed)), page["filename"]


@pytest.mark.parametrize("role", tree.roles())
def test_ansible_doc_shows_the_installed_role(installed, pages, role):
    page = pages["role"][f"{tree.COLLECTION}.{role}"]
    assert page["path"].startswith(str(installed)), page["path"]
    assert page["entry_points"]["main"]["short_description"]


@pytest.mark.parametrize("name", tree.playbooks())
def test_installed_playbook_is_found_by_its_name(installed, elsewhere, name):
    folder, environment = elsewhere
    (folder / "hosts.yml").write_text("mlinfra_hosts: {hosts: {example: }}\n")
    command = ["ansible-playbook", "--syntax-check", "-i", "hosts.yml", f"{tree.COLLECTION}.{name}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
