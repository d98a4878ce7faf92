# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which calls bring one account of an MLflow server to what is wished. Pure."""

from __future__ import annotations

CREATE, PASSWORD, ADMIN, NO_ADMIN, DELETE = "create", "password", "make admin", "make no admin", "delete"


def plan(state, found, login_works, admin):
    """The actions, in order. found: the account as MlflowClient.find has it; login_works: whether it has the wished password."""
    if state == "absent":
        return [DELETE] if found else []
    if not found:
        return [CREATE] + ([ADMIN] if admin else [])
    actions = [] if login_works else [PASSWORD]
    if bool(found.get("is_admin")) != admin:
        actions.append(ADMIN if admin else NO_ADMIN)
    return actions


def seen_as(name, found, password):
    """An account as a diff may show it; password is one of the words "as wished", "another"."""
    return "" if not found else "name: %s\nadmin: %s\npassword: %s\n" % (name, str(bool(found.get("is_admin"))).lower(), password)


def difference(name, state, found, login_works, admin):
    """{before, after} for diff mode."""
    before = seen_as(name, found, "as wished" if login_works else "another")
    after = "" if state == "absent" else seen_as(name, {"is_admin": admin}, "as wished")
    return {"before_header": "account %s" % name, "after_header": "account %s" % name, "before": before, "after": after}


def apply(client, actions, name, password):
    """Carry the actions out as the administrator whose client this is."""
    calls = {
        CREATE: lambda: client.create(name, password),
        PASSWORD: lambda: client.set_password(name, password),
        ADMIN: lambda: client.set_admin(name, True),
        NO_ADMIN: lambda: client.set_admin(name, False),
        DELETE: lambda: client.delete(name),
    }
    for action in actions:
        calls[action]()
