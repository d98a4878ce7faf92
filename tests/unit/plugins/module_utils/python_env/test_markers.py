# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import interpreter, markers

BOOKWORM = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.2",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "6.1.0-44-cloud-amd64",
    "platform_system": "Linux",
    "platform_version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.164-1",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'win32'", False),
        ("sys_platform != 'win32'", True),
        ('"linux" in sys_platform', True),
        ("'win' not in sys_platform", True),
        ("python_full_version < '3.12'", True),
        ("python_full_version >= '3.12'", False),
        ("python_version < '3.9'", False),  # as texts 3.11 would come first
        ("'3.9' <= python_version", True),
        ("python_full_version == '3.11.*'", True),
        ("python_full_version != '3.11.*'", False),
        ("python_full_version ~= '3.10'", True),
        ("python_full_version ~= '3.11.3'", False),
        ("python_full_version == '3.11.2.0'", True),
        ("platform_machine == 'aarch64' or platform_machine == 'x86_64'", True),
        ("implementation_name != 'PyPy' and platform_python_implementation != 'PyPy'", True),
        ("os_name == 'nt' and (sys_platform == 'win32' or python_version > '3')", False),
        ("(os_name == 'nt' and sys_platform == 'win32') or python_version > '3'", True),
        ("python_version > '3' or os_name == 'nt' and os_name == 'java'", True),
        ("extra == 'gpu'", False),
        ("platform_release >= '6'", True),
    ],
)
def test_holds(marker, holds):
    assert markers.evaluate(marker, BOOKWORM) is holds


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ("python_version", "a comparison was expected"),
        ("python_version ==", "a variable"),
        ("python == '3'", "a variable"),
        ("(os_name == 'nt'", "a ) is missing"),
        ("os_name == 'nt' os_name", "'os_name' was not expected"),
        ("os_name ~= 'nt'", "compares versions only"),
        ("python_version < 'three'", "'three' is no version"),
        ("os_name == \\'nt", "was not expected"),
    ],
)
def test_unreadable(marker, reason):
    with pytest.raises(markers.MarkerError, match=reason.replace(")", r"\)")):
        markers.evaluate(marker, BOOKWORM)


def test_an_interpreter_gives_all_variables():
    assert set(interpreter.probe(interpreter.SYSTEM)["markers"]) == set(markers.VARIABLES)
