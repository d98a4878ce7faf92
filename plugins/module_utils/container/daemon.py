# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the modules of all engines do alike once a change is decided: make it or show it, and answer in words when it cannot be made."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import pending, settings, transaction
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.service import ServiceError
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings_file import ORIGINAL


def make(module, file, service, action, keys, text, apply, own):
    """Carry the change out, unless in check mode, and return what the module says of it.

    file: SettingsFile. action: what is told to the service, 'none' for nothing. keys: top-level settings that change.
    text: the file's new text, None when it stays. apply: does the action; raises ServiceError, which puts the former file back.
    own: OwnFiles that go with it.
    """
    original = file.path + ORIGINAL if os.path.exists(file.path + ORIGINAL) else None
    if not module.check_mode:
        # First: a run that is killed between files and restart leaves files in which nothing is to be changed any more.
        if action not in ("none", "start"):
            pending.note(service)
        original = transaction.take(file, text, service, apply, own) or original
        pending.forget(service)
    path = module.params["path"]
    diff = {"before_header": path, "after_header": path, "before": file.text, "after": file.text if text is None else text}
    return {
        "changed": action != "none" or not service.enabled,
        "path": path,
        "changed_keys": keys,
        "changed_files": own.due,
        "action": action,
        "original": original,
        "diff": {name: settings.without_passwords(value) for name, value in diff.items()},
    }


def answer(module, work, place="path"):
    """End the module with what work(module) returns, or with the reason why it cannot be done.

    place: the option that names what is written.
    """
    try:
        module.exit_json(**work(module))
    except (settings.SettingsError, ServiceError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg="%s cannot be read or written: %s. Is there room, and is the task run with become: true?" % (module.params[place], error)
        )
