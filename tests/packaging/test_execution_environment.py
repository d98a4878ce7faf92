# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-builder finds in the installed collection, and the build context that it makes of it. No image is built."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

DEFINITION = """\
version: 3
images:
  base_image:
    name: registry.example.org/base:1
dependencies:
  ansible_core: {package_pip: ansible-core}
  ansible_runner: {package_pip: ansible-runner}
  galaxy:
    collections:
      - name: mlinfra.hosts
"""


@pytest.fixture(scope="module")
def introspected(installed) -> dict:
    """ansible-builder's findings: {"python": …, "system": …}, each with what every collection asks for."""
    command = ["ansible-builder", "introspect", str(installed.parents[2])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return yaml.safe_load(done.stdout[done.stdout.index("---") :])


def test_python_requirements(introspected):
    lines = str(introspected["python"])
    assert re.search(r"boto3>=[0-9.]+", lines) and re.search(r"botocore>=[0-9.]+", lines), lines


def test_system_packages(introspected):
    assert "openssh-client" in str(introspected["system"])


def test_build_context(tmp_path):
    (tmp_path / "execution-environment.yml").write_text(DEFINITION)
    command = ["ansible-builder", "create", "-f", "execution-environment.yml", "-c", "context"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "context" / "Containerfile").exists()
    wished = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text())
    assert [collection["name"] for collection in wished["collections"]] == ["mlinfra.hosts"]
