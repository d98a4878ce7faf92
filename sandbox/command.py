# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way to run other programs: quiet when they succeed, their own words when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from sandbox.paths import SandboxError


def _shown(command: Sequence[str]) -> str:
    """Enough to know which call it was."""
    text = " ".join(command)
    return text if len(text) <= 200 else f"{text[:100]} … {text[-80:]}"


def run(command: Sequence[str], text: str | None = None, timeout: float = 120.0) -> str:
    """Standard output of ``command``, fed with ``text``.

    :raises SandboxError: it ended with another code than 0 or not in time; the message has its last line of errors.
    """
    try:
        # Without input the child must not read ours.
        done = subprocess.run(
            list(command),
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"`{_shown(command)}` did not run: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing said"]
        raise SandboxError(f"`{_shown(command)}` ended with {done.returncode}: {said[0]}")
    return done.stdout


def attempt(command: Sequence[str], text: str | None = None, timeout: float = 120.0) -> bool:
    """Run it for its effect; False when it failed, which the caller can live with."""
    try:
        run(command, text, timeout)
    except SandboxError:
        return False
    return True
