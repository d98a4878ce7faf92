# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-builder finds in the installed collection: what an execution environment with it gets. No image is built."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml


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
