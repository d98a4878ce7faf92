# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Reads files of a host and keeps what could not be read, so that facts say what they are not built on."""

from __future__ import annotations

import errno
import os
import stat

# Not there: nothing to report. A device that has gone answers ENODEV or ENXIO.
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO)
MOST = 16 * 1024 * 1024


class Host:
    """The files below a root. No method raises for what lies there; ``unread`` collects 'path: reason'."""

    def __init__(self, root="/"):
        self.root = root
        self.unread = []

    def path(self, *parts):
        """Where a path of the host is for this process."""
        return os.path.join(self.root, "/".join(parts).lstrip("/"))

    def _failed(self, path, error):
        if getattr(error, "errno", None) not in MISSING:
            reason = "%s: %s" % (path, getattr(error, "strerror", None) or error)
            if reason not in self.unread:
                self.unread.append(reason)

    def data(self, path, most=MOST, start=0):
        """Bytes of a regular file from ``start``, at most ``most``; b'' when it cannot be read."""
        try:
            handle = os.open(self.path(path), os.O_RDONLY | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return b""
        try:
            # A pipe or a device could block, or never end.
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return b""
            with os.fdopen(os.dup(handle), "rb") as file:
                if start:
                    file.seek(start)
                return file.read(most)
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return b""
        finally:
            os.close(handle)

    def text(self, path, most=MOST):
        """Its text, with what is no UTF-8 replaced."""
        return self.data(path, most).decode("utf-8", "replace")

    def names(self, path):
        """Sorted names in a folder; [] when it is none or cannot be read."""
        try:
            return sorted(os.listdir(self.path(path)))
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return []

    def is_folder(self, path):
        """Whether it is a folder, behind a link too. Absolute links count from this host's root only when that is /."""
        return os.path.isdir(self.path(path))

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def link(self, path):
        """Last part of where a link leads; None when it is none."""
        try:
            return os.path.basename(os.readlink(self.path(path))) or None
        except (OSError, ValueError):
            return None

    def walk(self, path, depth=4):
        """Paths of all files below a folder, as deep as ``depth`` folders, sorted; links to folders are not followed."""
        found = []
        try:
            entries = sorted(os.scandir(self.path(path)), key=lambda entry: entry.name)
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return found
        for entry in entries:
            below = path.rstrip("/") + "/" + entry.name
            if entry.is_dir(follow_symlinks=False):
                found += self.walk(below, depth - 1) if depth > 1 else []
            else:
                found.append(below)
        return found
