# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sandbox keeps its state, and where all of them keep what they share."""

from __future__ import annotations

import os
import re
from pathlib import Path

STATE_BASE = Path("/var/lib/mlinfra-sandbox")
RUN_BASE = Path("/run/mlinfra-sandbox")
DEFAULT_NAME = "demo"


class SandboxError(Exception):
    """What the user must know, in one or two sentences that end with the next step."""


def checked_name(name: str) -> str:
    """A sandbox's name goes into paths, link names and container names, so it is short and plain.

    :raises SandboxError: it is not 1 to 20 of a-z, 0-9 and -, beginning with a letter.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name):
        raise SandboxError(f"sandbox name is {name!r}: expected 1 to 20 of a-z, 0-9 and -, beginning with a letter. Choose another --name.")
    return name


def sandbox_name(given: str | None = None) -> str:
    """The name from the command line, else from MLINFRA_SANDBOX, else demo."""
    return checked_name(given or os.environ.get("MLINFRA_SANDBOX") or DEFAULT_NAME)


def state_dir(name: str) -> Path:
    """Everything that ``down`` deletes of one sandbox."""
    return STATE_BASE / name


def run_dir(name: str) -> Path:
    """What must not outlive a restart of the machine (podman's run root)."""
    return RUN_BASE / name


def cache_dir() -> Path:
    """Base root file systems; survives ``down``."""
    given = os.environ.get("MLINFRA_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).expanduser().absolute() / "mlinfra"
