# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a lock, asked of the kernel while a real process holds it."""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import locks

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"


def test_the_process_that_holds_it_is_named_until_it_lets_go(tmp_path):
    free, held = tmp_path / "free", tmp_path / "held"
    free.touch()
    command = [sys.executable, "-c", HOLD, str(held)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        found = locks.apt_lock([free, tmp_path / "missing", held])
        assert (found["held"], found["pid"], found["path"]) == (True, process.pid, held) and str(held) in found["command"]
        process.stdin.close()
        process.wait()
    assert locks.apt_lock([free, held]) == {"held": False, "pid": None, "command": None, "path": None}


def test_command_of_a_process_that_has_none():
    assert locks.command(0) is None
