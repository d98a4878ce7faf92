# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Settings as nested dictionaries: what they become when wishes are merged into them."""

from __future__ import annotations

import copy
import re


class SettingsError(Exception):
    """The settings cannot be what is wished; the message is for the user."""


def merged(settings, patch):
    """`settings` after a JSON merge patch (RFC 7396): dictionaries are merged, null removes a key, all else replaces what was there.

    Unlike there, a null below a dictionary that is not there does not make it.
    """
    result = copy.deepcopy(settings)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            there = result.get(name)
            below = merged(there if isinstance(there, dict) else {}, value)
            if below or name in result or not value:
                result[name] = below
        else:
            result[name] = copy.deepcopy(value)
    return result


def with_defaults(settings, patch, groups):
    """The patch, and before it each group of defaults of which neither the settings nor the patch has a top-level key."""
    chosen = {}
    for group in groups:
        if not any(name in settings or name in patch for name in group):
            chosen = merged(chosen, group)
    return {**chosen, **patch}


def extended(settings, additions):
    """A patch that puts the entries of lists behind those which the settings have by the same names; {} when they have all.

    Of a dictionary, those entries whose name the settings have not: what is there by that name stays as it is.
    """
    patch = {}
    for name, entries in additions.items():
        there = settings.get(name)
        if isinstance(entries, dict):
            lacking = {key: value for key, value in entries.items() if not isinstance(there, dict) or key not in there}
            if lacking:
                patch[name] = lacking
            continue
        there = there if isinstance(there, list) else []
        lacking = [entry for entry in entries if entry not in there]
        if lacking:
            patch[name] = there + lacking
    return patch


def changed_keys(before, after):
    """Top-level keys that differ, sorted."""
    return sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name) or (name in before) != (name in after))


def without_passwords(text):
    """The text as a diff may show it: what stands before the @ of a URL is hidden."""
    return re.sub(r"(?<=://)[^/\s\"'@]+@", "***@", text)
