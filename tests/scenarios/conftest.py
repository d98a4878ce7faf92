# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of pytest-xdist have a sandbox each, which stays up from their first scenario to their last one.

Two checkouts on one machine would take each other's hosts away: MLINFRA_TEST_SANDBOX gives the sandboxes of one another name than `test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from scripts import tree


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """Name of a sandbox that is up."""
    name = "-".join([os.environ.get("MLINFRA_TEST_SANDBOX") or "test", *os.environ.get("PYTEST_XDIST_WORKER", "").split()])
    command = [sys.executable, "-m", "sandbox"]
    subprocess.run([*command, "up", "--name", name], cwd=tree.CHECKOUT, check=True)
    try:
        yield name
    finally:
        subprocess.run([*command, "down", "--name", name], cwd=tree.CHECKOUT, check=True)


@pytest.fixture
def inside(sandbox, monkeypatch) -> dict[str, str]:
    """The environment of a program in the sandbox."""
    monkeypatch.setenv("MLINFRA_SANDBOX", sandbox)
    monkeypatch.syspath_prepend(str(tree.CHECKOUT / "molecule" / "shared"))
    monkeypatch.delitem(sys.modules, "sandboxed", raising=False)
    import sandboxed

    return sandboxed.environment_of(os.environ)


@pytest.fixture
def run_inside(inside) -> Callable[..., str]:
    """run_inside(*command, code=0) -> what a program in the sandbox prints, that has to end so."""

    def run(*command: str, code: int = 0) -> str:
        done = subprocess.run(command, env=inside, cwd=tree.CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-9000:]}{done.stderr[-3000:]}"
        return done.stdout

    return run
