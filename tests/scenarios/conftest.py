# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of pytest-xdist have a sandbox each, which stays up from their first scenario to their last one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from scripts import tree


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """Name of a sandbox that is up."""
    name = "-".join(["test", *os.environ.get("PYTEST_XDIST_WORKER", "").split()])
    command = [sys.executable, "-m", "sandbox"]
    subprocess.run([*command, "up", "--name", name], cwd=tree.CHECKOUT, check=True)
    try:
        yield name
    finally:
        subprocess.run([*command, "down", "--name", name], cwd=tree.CHECKOUT, check=True)
