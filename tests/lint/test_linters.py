# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The linters, each as one test: what they print is what the test shows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def clean(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)} exited {done.returncode}\n{done.stdout[-12000:]}"


def test_ruff():
    clean("ruff", "check", "--no-cache", "--output-format", "concise", ".", "scripts/env")


def test_ansible_lint():
    clean("ansible-lint", "--offline", "--profile", "production", "--nocolor", "-q", "--format", "pep8")


def test_docs_of_plugins_and_roles():
    clean("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", ".")


def test_changelog_fragments():
    clean("antsibull-changelog", "lint")


def test_pins_are_hashed_and_name_no_index():
    for pins in sorted((CHECKOUT / "requirements").glob("*.txt")):
        lines = [line for line in pins.read_text().splitlines() if line and not line.lstrip().startswith("#")]
        packages = [line for line in lines if not line.startswith(" ")]
        assert packages, pins.name
        assert not [line for line in lines if "://" in line or line.startswith("-")], pins.name
        assert all(" \\" in line and "==" in line for line in packages), pins.name
