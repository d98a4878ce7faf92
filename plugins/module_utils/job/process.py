# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Run a Python script as another user, with a clean environment and an end."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.job.report import JobError

GRACE = 5  # seconds between asking a process group to end and ending it
MOST_OUTPUT = 4 * 1024 * 1024  # bytes of each stream that are looked at, from its end
SCRIPT = "script.py"
PATH = "/usr/local/bin:/usr/bin:/bin"


class Ended:
    """How a script ended. code: as subprocess has it, None after the timeout; output, errors: text; seconds: float."""

    def __init__(self, code, output, errors, seconds):
        self.code = code
        self.output = output
        self.errors = errors
        self.seconds = seconds


def account(name):
    """The passwd entry of the user, or of who runs this when no name is given. Raises JobError."""
    try:
        entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    except KeyError:
        hint = "Add it first (playbook mlinfra.hosts.configure adds training_proof_user), or name another one."
        raise JobError("there is no user %s on this host. %s" % (name or os.geteuid(), hint)) from None
    if os.geteuid() not in (0, entry.pw_uid):
        me = pwd.getpwuid(os.geteuid()).pw_name
        raise JobError("it shall run as %s, which %s may not become. Run this task with become." % (entry.pw_name, me))
    return entry


def environment(entry, folder, additions):
    """What the script sees: who it is, a folder for temporary files, the additions; nothing of who started it."""
    own = {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name, "PATH": PATH, "LANG": "C.UTF-8", "TMPDIR": folder}
    return dict(own, **{str(key): str(value) for key, value in additions.items()})


def identity(entry):
    """Arguments of Popen that make the process the user's; empty when it is already."""
    if os.geteuid() == entry.pw_uid:
        return {}
    groups = [group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": sorted(set(groups + [entry.pw_gid]))}


def end_group(leader):
    """End what is left of the process group: ask, wait, then insist."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            leader.wait(timeout=GRACE)
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def tail(file):
    """The text at the end of an open file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MOST_OUTPUT))
    return file.read().decode("utf-8", "replace")


def run(interpreter, files, given, entry, additions, timeout):
    """Run script.py of `files` ({name: text}) with the bytes `given` on standard input; returns Ended.

    Raises JobError when it cannot be started.
    Streams are files: a process that the script leaves behind cannot keep this one waiting, and ends with the script.
    """
    try:
        folder = tempfile.mkdtemp(prefix="mlinfra-job-")
    except OSError as error:
        raise JobError("no temporary folder can be made: %s. Make room in %s." % (error.strerror or error, tempfile.gettempdir())) from None
    try:
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chown(os.path.join(folder, name), entry.pw_uid, entry.pw_gid)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            stdin.write(given)
            stdin.seek(0)
            began = time.monotonic()
            try:
                process = subprocess.Popen(
                    [interpreter, os.path.join(folder, SCRIPT)],
                    stdin=stdin,
                    stdout=output,
                    stderr=errors,
                    cwd=folder,
                    env=environment(entry, folder, additions),
                    start_new_session=True,
                    **identity(entry),
                )
            except OSError as error:
                raise JobError("%s cannot be run as %s: %s." % (interpreter, entry.pw_name, error.strerror or error)) from None
            try:
                code = process.wait(timeout=timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                end_group(process)
            return Ended(code, tail(output), tail(errors), time.monotonic() - began)
    except OSError as error:
        where = "%s: %s" % (error.filename, error.strerror) if error.filename else str(error)
        raise JobError("its files cannot be written below %s (%s). Make room there." % (folder, where)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
