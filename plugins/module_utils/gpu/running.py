# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program that may hang, and comes back in time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile

MOST = 8 * 1024 * 1024


class Outcome:
    """What a program did. ``code`` is None when it did not start or did not end in time; ``problem`` says then which."""

    def __init__(self, code=None, out="", err="", problem=None):
        self.code, self.out, self.err, self.problem = code, out, err, problem

    def said(self):
        """The first thing that it printed, on one line."""
        lines = [line.strip() for line in (self.out + "\n" + self.err).splitlines() if line.strip()]
        return lines[0][:300] if lines else ""


def run(arguments, timeout):
    """Run a program for at most ``timeout`` seconds, its whole process group.

    A process that hangs in the kernel cannot be killed: it is left behind rather than waited for. Its output goes to a file, so that
    nothing waits for a pipe either.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd="/",
                env=dict(os.environ, LC_ALL="C", LANGUAGE="C"),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome(problem="%s cannot be run: %s" % (arguments[0], getattr(error, "strerror", None) or error))
        problem = None
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            problem = "%s did not end within %g s" % (arguments[0], timeout)
            end(process)
        return Outcome(None if problem else process.returncode, contents(out), contents(err), problem)


def end(process):
    """Kill its group, and wait only as long as a killable process takes."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2)


def contents(file):
    file.seek(0)
    return file.read(MOST).decode("utf-8", "replace")
