# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m smoke.sandboxed``: the course of ``make smoke-aws`` in a sandbox of its own, which ends with it."""

from __future__ import annotations

import subprocess
import sys

NAME = "smoke"
SETTINGS = ("ACCOUNT=123456789012", "MAX_USD=2", "YES=1", "IN_CI=1")  # nothing here costs anything


def main() -> int:
    sandbox = [sys.executable, "-m", "sandbox"]
    subprocess.run([*sandbox, "up", "--name", NAME], check=True)
    try:
        return subprocess.run([*sandbox, "run", "--name", NAME, "--", sys.executable, "-m", "smoke", "--sandbox", *SETTINGS]).returncode
    finally:
        subprocess.run([*sandbox, "down", "--name", NAME], check=False)


if __name__ == "__main__":
    sys.exit(main())
