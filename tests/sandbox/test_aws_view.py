# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts are told of the emulator's instances: asked in the emulator's process, changed through its API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("aws_view_script.py")
CHECKOUT = Path(__file__).resolve().parents[2]


def test_view_follows_the_api() -> None:
    """The view reads moto's memory, so it is asked in a process of its own, which serves the API at the same time."""
    environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, str(SCRIPT)], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    steps = ["launched", "rebooted", "stopped", "started", "credentials", "inside", "gone"]
    assert (done.returncode, done.stdout.split()) == (0, steps), done.stderr

