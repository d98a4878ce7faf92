# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Small files and folders with their owner, group and mode, written in one step."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import tempfile

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials


def read(path):
    """The file's text; empty when it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def account(path, name):
    """The password of account `name` in the file; None without the file, or when it holds another account's.

    :raises CredentialsError: the file is no accounts file.
    """
    if not os.path.exists(path):
        return None
    there, password = credentials.parse(read(path), path)
    return password if there == name else None


def _attributes_differ(path, owner, group, mode):
    status = os.stat(path)
    if group is None:
        return True
    try:
        wished = (pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid, int(mode, 8))
    except KeyError:  # check mode, before the user is there
        return True
    return (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) != wished


def group_name(number):
    """Name of a group, or None when there is no such group."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return None


def differs(path, text, mode, group, owner="root"):
    """Whether the file is not there as wished."""
    return not os.path.isfile(path) or read(path) != text or _attributes_differ(path, owner, group, mode)


def write(module, path, text, mode, group, owner="root"):
    """The whole file at once, with its rights from the beginning. Nobody can read a part of it, or all of it for a moment."""
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".%s." % os.path.basename(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chown(draft, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
        os.chmod(draft, int(mode, 8))
        module.set_default_selinux_context(draft, False)
        os.replace(draft, path)
    except BaseException:
        remove(draft)
        raise


def remove(path):
    """Remove the file; nothing happens when it is not there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def folder_differs(path, owner, group, mode):
    """Whether the folder is not there as wished."""
    return not os.path.isdir(path) or _attributes_differ(path, owner, group, mode)


def foreign_content(path, owner):
    """Name of something that lies in the folder while it belongs to somebody else; None when there is none. A new disk has lost+found."""
    if not os.path.isdir(path) or _name_of(os.stat(path).st_uid) == owner:
        return None
    return next((entry for entry in sorted(os.listdir(path)) if entry != "lost+found"), None)


def _name_of(number):
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return None


def make_folder(path, owner, group, mode):
    """The folder and those above it; what is in it stays as it is.

    :raises OSError: something else is there under that name.
    """
    if os.path.exists(path) and not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", path)
    os.makedirs(path, 0o755, exist_ok=True)
    os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
    os.chmod(path, int(mode, 8))
