# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For the verify step of every scenario: pytest runs in the sandbox too, and a run that saw no host is no success."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "shared"))

import sandboxed  # noqa: E402

_proven: set[str] = set()


def pytest_configure(config: pytest.Config) -> None:
    """Before testinfra asks ansible-inventory for the hosts."""
    if not sandboxed.is_up():
        raise pytest.UsageError(f"sandbox {sandboxed.NAME} is not up: nothing can be verified. Run `molecule converge` first.")
    now = sandboxed.environment_of(os.environ)
    os.environ.clear()
    os.environ.update(now)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = (yield).get_result()
    host = getattr(item, "funcargs", {}).get("host")
    if report.when == "call" and report.passed and host is not None and hasattr(host.backend, "get_hostname"):
        _proven.add(host.backend.get_hostname())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when no test passed on any host: an empty inventory must not look like success."""
    looks_well = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if not _proven and looks_well and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    if _proven:
        terminalreporter.write_line(f"verified on {len(_proven)} hosts: {', '.join(sorted(_proven))}")
    else:
        terminalreporter.write_line("verified on no host: that is a failure", red=True)
