# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts import tree


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Path:
    """The collection, built from this checkout."""
    folder = tmp_path_factory.mktemp("artifact")
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(tree.CHECKOUT)], check=True, capture_output=True
    )
    (built,) = folder.glob("mlinfra-hosts-*.tar.gz")
    return built


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """An empty working folder and an environment that knows nothing of this checkout: empty HOME, no Ansible settings."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "PYTHON", "MLINFRA_"))}
    kept |= {"HOME": str(folder / "home"), "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections")}
    return folder, kept


@pytest.fixture(scope="session")
def installed(artifact, elsewhere) -> Path:
    """The artifact, installed offline into an empty folder. amazon.aws stands beside ansible-core, as PyPI's ansible puts it."""
    folder, environment = elsewhere
    command = ["ansible-galaxy", "collection", "install", "--offline", "-p", str(folder / "collections"), str(artifact)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "collections" / "ansible_collections" / "mlinfra" / "hosts"
