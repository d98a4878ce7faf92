# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out the steps of plan.look."""

from __future__ import annotations

import os
import shutil

from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import places

# Their failure leaves a host that still has its identity, which is why nothing of it is touched after another step failed.
IDENTITY = ("authorized keys", "host key", "machine id")


def carry_out(steps, run, root=""):
    """[message] of what could not be done. run(argv) -> (code, out, err)."""
    problems = []
    for step in steps:
        if problems and step["what"] in IDENTITY:
            problems.append("%s is left as it is, so that the host can still be reached" % step["path"])
            continue
        try:
            one(step, run, root + step["path"])
        except OSError as error:
            problems.append("%s: %s" % (step["path"], error.strerror or error))
    return problems


def one(step, run, path):
    """:raises OSError:"""
    if step["act"] == places.REMOVE:
        remove(path)
    elif step["act"] == places.EMPTY:
        # Not replaced: owner, mode and whoever has it open stay.
        with open(path, "r+" if os.path.exists(path) else "w", encoding="utf-8") as file:
            file.truncate(0)
    elif step["act"] == places.LINK:
        os.unlink(path)
        os.symlink(places.MACHINE_ID, path)
    elif step["act"] == places.STOP:
        called(run, ["systemctl", "stop", step["path"]])
    elif os.path.lexists(path):  # the first of its steps cleans all of them
        called(run, ["cloud-init", "clean", "--logs", "--seed"])


def remove(path):
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass  # it went by itself, as a rotated log does


def called(run, command):
    code, out, err = run(command)
    if code:
        raise OSError(code, "%s ended with %d: %s" % (" ".join(command), code, (err or out).strip()[-300:]))
