# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One settings file on the host: read, kept aside before the first change, replaced in one step, put back."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings import SettingsError

# Next to the file: what it was before this collection changed it for the first time.
ORIGINAL = ".mlinfra-original"
LARGEST = 1024 * 1024


def _at_once(path, flags):
    """An opener for open(): nobody waits for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


class SettingsFile:
    """The file behind `path` (a link is followed). text: its content, "" when it is not there."""

    def __init__(self, path):
        self.path = os.path.realpath(path)
        self.exists = os.path.lexists(self.path)
        self.text = ""
        if self.exists:
            try:
                with open(self.path, encoding="utf-8", newline="", opener=_at_once) as file:
                    status = os.fstat(file.fileno())
                    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                        told = "%s: expected a file of settings, of at most %d bytes. Nothing was changed. Move it away."
                        raise SettingsError(told % (path, LARGEST))
                    self.text = file.read()
            except UnicodeDecodeError as error:
                raise SettingsError("%s is not UTF-8: %s at byte %d. Nothing was changed." % (path, error.reason, error.start)) from error
            except IsADirectoryError as error:
                raise SettingsError("%s is a folder: expected a file. Move it away." % path) from error

    def draft(self, text):
        """Path of a new file in the same folder with that text and the attributes that the file has, or shall have."""
        os.makedirs(os.path.dirname(self.path), 0o755, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=os.path.dirname(self.path), prefix=".mlinfra-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            if self.exists:
                there = os.stat(self.path)
                shutil.copystat(self.path, draft)
                os.utime(draft)
                os.chown(draft, there.st_uid, there.st_gid)
            else:
                os.chmod(draft, 0o644)
        except BaseException:
            os.unlink(draft)
            raise
        return draft

    def replace(self, text):
        """Returns the path of the copy of the first original, when there is one."""
        original = self.path + ORIGINAL
        # By a draft: a copy that a full disk cut short would count as the original ever after.
        if self.exists and not os.path.exists(original):
            os.replace(self.draft(self.text), original)
        os.replace(self.draft(text), self.path)
        return original if os.path.exists(original) else None

    def restore(self):
        """Put back what was read."""
        if self.exists:
            os.replace(self.draft(self.text), self.path)
        elif os.path.exists(self.path):
            os.unlink(self.path)
