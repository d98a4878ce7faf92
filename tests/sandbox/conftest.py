# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hostless emulated AWS for all tests of this folder that want one; empty again for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.aws.process import Emulator

#: Nothing takes time, so that no test has to wait for it.
AT_ONCE = {"pending": 0, "stopping": 0, "shutting_down": 0, "profile_propagation": 0}


@pytest.fixture(scope="session")
def _aws_process() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def aws(_aws_process: Emulator) -> Emulator:
    _aws_process.reset()
    _aws_process.timing(**AT_ONCE)
    return _aws_process
