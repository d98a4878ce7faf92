# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings that hosts need, shared by all sandboxes: raised by the first, given back by the last."""

from __future__ import annotations

from pathlib import Path

from sandbox import files, lock
from sandbox.paths import STATE_BASE

# fs.inotify: a booted systemd takes about a dozen instances; with the usual 128 the tenth host does not boot.
WANTED = {"net.ipv4.ip_forward": 1, "fs.inotify.max_user_instances": 2048, "fs.inotify.max_user_watches": 65536}
RECORD = STATE_BASE / ".machine.json"


def _file(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def raise_settings(sandbox: str) -> None:
    """Note the old values first, then raise what is too low."""
    with lock.folder(STATE_BASE):
        record = files.read_json(RECORD, {"old": {}, "users": []})
        for name, value in WANTED.items():
            now = int(_file(name).read_text(encoding="ascii"))
            if now < value:
                record["old"].setdefault(name, now)
        record["users"] = sorted({*record["users"], sandbox})
        files.write_json(RECORD, record)
        for name, value in WANTED.items():
            if name in record["old"]:
                _file(name).write_text(f"{value}\n", encoding="ascii")


def restore_settings(sandbox: str) -> None:
    """Give the old values back when no other sandbox is left. Values that somebody else changed since stay."""
    with lock.folder(STATE_BASE):
        record = files.read_json(RECORD)
        if record is None:
            return
        users = [user for user in record["users"] if user != sandbox and (STATE_BASE / user).is_dir()]
        if users:
            files.write_json(RECORD, {**record, "users": users})
            return
        for name, old in record["old"].items():
            if int(_file(name).read_text(encoding="ascii")) == WANTED.get(name):
                _file(name).write_text(f"{old}\n", encoding="ascii")
        RECORD.unlink()
