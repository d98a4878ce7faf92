# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A changed settings file and the daemon that reads it, together: either both are as wished, or both are as before."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.service import ServiceError


def take(file, text, service, act):
    """Write the text (None for no change) and call act(); when that fails, put the file back and the daemon on its feet.

    Returns the path of the copy of the file's first original, when there is one. Raises ServiceError.
    """
    was_running = service.running
    original = file.replace(text) if text is not None else None
    if service.stale:
        service.daemon_reload()
    try:
        act()
        if not service.enabled:
            service.tell("enable")
    except ServiceError as error:
        if text is None:
            raise
        file.restore()
        aftermath = "%s is as it was before." % file.path
        if was_running:
            try:
                service.tell("restart")
                aftermath += " %s runs again." % service.unit
            except ServiceError:
                aftermath += " %s does not start with it either." % service.unit
        raise ServiceError("%s\n%s" % (error, aftermath)) from error
    return original
