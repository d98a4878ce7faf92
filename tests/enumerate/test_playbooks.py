# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook parses under its full name, without a word of warning, and has a wrapper for AWX."""

from __future__ import annotations

import subprocess

import pytest

from scripts import tree


def test_there_are_playbooks():
    assert {"site", "plan", "provision", "configure", "verify", "destroy"} <= set(tree.playbooks())


@pytest.mark.parametrize("name", tree.playbooks())
def test_syntax(name, tmp_path):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("mlinfra_hosts: {hosts: {example: }}\n")
    command = ["ansible-playbook", "--syntax-check", "-i", str(inventory), f"{tree.COLLECTION}.{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("[WARNING]", "[DEPRECATION WARNING]", "[ERROR]"):
        assert word not in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("name", tree.playbooks())
def test_targets_only_this_collections_hosts(name):
    for play in tree.load(tree.CHECKOUT / "playbooks" / f"{name}.yml"):
        hosts = play.get("hosts", "mlinfra_hosts")
        assert (
            "import_playbook" in play
            or "ansible.builtin.import_playbook" in play
            or set(hosts.split(":")) <= {"localhost", "mlinfra_hosts", "mlinfra_controller"}
        ), f"{name}: play {play.get('name')!r} targets {hosts!r}"


@pytest.mark.parametrize("name", tree.playbooks())
def test_awx_has_a_wrapper(name):
    wrapper = tree.load(tree.CHECKOUT / "examples" / "awx-project" / f"{name}.yml")
    assert [play["ansible.builtin.import_playbook"] for play in wrapper] == [f"{tree.COLLECTION}.{name}"]


@pytest.mark.parametrize("name", tree.playbooks())
def test_has_a_test(name):
    kept = [path for path in tree.files() if path.parts[0] in ("tests", "molecule") and path.parts[:2] != ("tests", "enumerate")]
    texts = [(tree.CHECKOUT / path).read_text(errors="replace") for path in kept]
    assert any(f"{tree.COLLECTION}.{name}" in text or f'"{name}"' in text or f"'{name}'" in text for text in texts), (
        f"no test runs playbook {name}"
    )
