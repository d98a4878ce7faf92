# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Files of this collection's own that a daemon or its unit reads when it starts: compared, written and put back together."""

from __future__ import annotations

import os
import tempfile


class OwnFiles:
    """wishes: {path: text, empty for a file that shall not be there}. due: paths of those that are not as wished."""

    def __init__(self, wishes):
        self.wishes = {path: (text or "").encode() for path, text in wishes.items()}
        self.before = {path: _look(path) for path in self.wishes}
        self.due = sorted(path for path in self.wishes if not self._as_wished(path))

    def _as_wished(self, path):
        there, text = self.before[path], self.wishes[path]
        if there is None or not text:
            return there is None and not text
        return there[0] == text and (not is_secret(path) or there[1] == 0o600)

    def write(self):
        for path in self.due:
            _put(path, (self.wishes[path], 0o600 if is_secret(path) else 0o644) if self.wishes[path] else None)

    def restore(self):
        for path in self.due:
            _put(path, self.before[path])


def is_secret(path):
    """Whether a file is for root alone: variables of a service, which may have a password."""
    return path.endswith(".env")


def _look(path):
    """(bytes, mode) of a file; None when it is not there."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read(), os.fstat(file.fileno()).st_mode & 0o777


def _put(path, state):
    """Make a file what _look said of it, in one step."""
    if state is None:
        if os.path.lexists(path):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".mlinfra-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(state[0])
        os.chmod(draft, state[1])
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
