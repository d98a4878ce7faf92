# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A JSON file that somebody else wrote, and settings that shall be in it: pure functions over its text."""

from __future__ import annotations

import json
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings import SettingsError


def parse(path, text):
    """The object that the text holds; {} for an empty text. Raises SettingsError with line and column."""

    def unique(pairs):
        names = [name for name, _value in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SettingsError(
                "%s has %s more than once in one object: which one counts depends on the reader. Keep one of them."
                % (path, ", ".join(twice))
            )
        return dict(pairs)

    if not text.strip():
        return {}
    try:
        found = json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        where, reason = "", str(error)
        if isinstance(error, json.JSONDecodeError):
            where, reason = ", line %d, column %d" % (error.lineno, error.colno), error.msg
        raise SettingsError(
            "%s%s is not JSON: %s. Nothing was changed. Mend the file (python3 -m json.tool %s shows the place), "
            "or move it away to begin with an empty one." % (path, where, reason, path)
        ) from error
    if not isinstance(found, dict):
        raise SettingsError("%s holds a JSON %s: expected an object, { … }. Nothing was changed." % (path, type(found).__name__))
    return found


def render(settings, before=""):
    """Text of the settings, indented as the text before is; two spaces when that tells nothing."""
    indent = re.search(r"^([ \t]+)\S", before, re.M)
    return json.dumps(settings, indent=indent.group(1) if indent else "  ", ensure_ascii=False) + "\n"
