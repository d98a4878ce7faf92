# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Changed files and the daemon that reads them, together: either all are as wished, or all are as before."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.service import ServiceError


def take(file, text, service, act, own):
    """Write the text (None for no change) and the OwnFiles, and call act(); when that fails, put the files back and the daemon on its feet.

    Returns the path of the copy of the file's first original, when there is one. Raises ServiceError.
    """
    was_running = service.running
    original = file.replace(text) if text is not None else None
    own.write()
    if service.stale or own.due:
        service.daemon_reload()
    try:
        act()
        if not service.enabled:
            service.tell("enable")
    except ServiceError as error:
        if text is None and not own.due:
            raise
        if text is not None:
            file.restore()
        if own.due:
            own.restore()
            service.daemon_reload()
        restored = ([] if text is None else [file.path]) + own.due
        aftermath = "%s %s as before." % (", ".join(restored), "is" if len(restored) == 1 else "are")
        if was_running:
            try:
                service.tell("restart")
                aftermath += " %s runs again." % service.unit
            except ServiceError:
                aftermath += " %s does not start with it either." % service.unit
        raise ServiceError("%s\n%s" % (error, aftermath)) from error
    return original
