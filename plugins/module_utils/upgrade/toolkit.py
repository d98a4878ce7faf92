# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The container toolkit of a host whose driver is upgraded: from which version to which, and whether it came there. Pure functions."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import packages
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names


def there(facts):
    """Version that packages have brought, as 1.18.1; None for none, and for a program that says no version."""
    found = facts["engines"]["nvidia_toolkit"]
    return None if found == "unknown" else found


def move(facts, pins, record, wish):
    """{from, to}, or None where the toolkit stays as it is. ``from`` is upstream's version, ``to`` may have a revision.

    wish: None where role container_runtime does not look after the host; else container_runtime_nvidia_version, which counts more than the
    pins, or an empty text. record: of an upgrade that is not at its end, or None: what that would return to is never lost. A host without
    the toolkit gets none by an upgrade.
    """
    recorded = (record or {}).get("toolkit")
    before = recorded or (None if wish is None else there(facts))
    if before is None:
        return None
    wanted = wish or pins.get("container_toolkit") or before
    return {"from": before, "to": wanted} if recorded or packages.upstream(wanted) != before else None


def is_there(facts, moved):
    """Whether there is nothing to move. moved: see move()."""
    return moved is None or there(facts) == packages.upstream(moved["to"])


def pinned(pins, moved):
    """Names of the four packages where pins have them in the version to return to. moved: see move()."""
    versions = {packages.upstream(pins["packages"].get(name)) for name in names.CONTAINER_TOOLKIT}
    return list(names.CONTAINER_TOOLKIT) if moved and versions == {moved["from"]} else []


def verdict(name, facts, wanted):
    """Messages about a toolkit of another version than wanted; None wants nothing."""
    if wanted is None or there(facts) == packages.upstream(wanted):
        return []
    return ["%s has container toolkit %s: expected %s." % (name, there(facts) or "none", wanted)]


def words(before, to, moved):
    """What goes from where to where, for people: the driver, and the toolkit where it goes, too. before, to: pins."""
    told = []
    if before["driver"]["version"] != to["driver"]["version"] or not moved:
        told.append("driver %s to %s" % (before["driver"]["version"], to["driver"]["version"]))
    if moved and packages.upstream(moved["to"]) != moved["from"]:
        told.append("container toolkit %s to %s" % (moved["from"], moved["to"]))
    return ", ".join(told) or "driver %s" % to["driver"]["version"]
