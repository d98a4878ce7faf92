# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A TOML file that somebody else wrote, edited line by line so that comments and order stay. The result is read back: an edit that did
not come out as wished (a table written inline, dotted keys) is refused instead of written.

containerd 1.6 takes a plugin's whole section from the last imported file, so a drop-in would lose the keys of config.toml.
Found by `containerd config dump` of Debian's 1.6.20; 1.7.24 merges.
"""

from __future__ import annotations

import json
import re
import sys

from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings import SettingsError, merged

try:
    import tomllib
except ImportError:  # Python before 3.11, for which distributions package the reader that tomllib was made of
    try:
        import tomli as tomllib
    except ImportError:
        tomllib = None

BARE = re.compile(r"^[A-Za-z0-9_-]+$")
PART = r'(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|\'[^\']*\')'
HEADER = re.compile(r"^\s*\[\s*(%s(?:\s*\.\s*%s)*)\s*\]\s*(?:#.*)?$" % (PART, PART))
ANY_HEADER = re.compile(r"^\s*\[")
ASSIGNMENT = re.compile(r"^\s*(%s)\s*=" % PART)


def parse(path, text):
    """The tables of the text. Raises SettingsError with line and column."""
    if tomllib is None:
        raise SettingsError(
            "%s cannot be read: the Python that Ansible uses on this host, %s, reads no TOML. Nothing was changed. "
            "Install python3-tomli for it, or give it Python 3.11 or later (ansible_python_interpreter)." % (path, sys.version.split()[0])
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("%s is not TOML: %s. Nothing was changed. Mend the file, or move it away." % (path, error)) from error


def edited(path, text, patch):
    """The text with the patch (a JSON merge patch) in it. Raises SettingsError where that cannot be done line by line."""
    before = parse(path, text)
    wished = _filled(merged(before, patch))
    if wished == _filled(before):
        return text
    lines = text.splitlines()
    for keys, value in _leaves(patch):
        if _get(before, keys) != value:
            lines = _without(lines, keys) if value is None else _with(lines, keys, value)
    result = "\n".join(lines).strip("\n") + "\n"
    try:
        found = tomllib.loads(result)
    except tomllib.TOMLDecodeError:
        found = None
    if found is None or _filled(found) != wished:
        names = ", ".join(_dotted(keys) for keys, value in _leaves(patch) if _get(before, keys) != value)
        raise SettingsError(
            "%s: %s cannot be merged in line by line, as the file has it inline or with dotted keys. Nothing was changed. "
            "Write these tables with [headers] of their own, or set the values in the file by hand." % (path, names)
        )
    return result


def rendered(value):
    """One value as TOML. JSON strings are TOML strings but for the escape of DEL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007F")
    if isinstance(value, list):
        return "[%s]" % ", ".join(rendered(item) for item in value)
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s = %s" % (_name(name), rendered(value[name])) for name in value)
    raise SettingsError("%r is no value that TOML has." % (value,))


def _filled(tables):
    """The tables without empty ones, which mean nothing to containerd."""
    below = {name: _filled(value) if isinstance(value, dict) else value for name, value in tables.items()}
    return {name: value for name, value in below.items() if value != {}}


def _leaves(patch, above=()):
    """(path, value) of each value of a nested patch; an empty dictionary asks for nothing."""
    for name, value in patch.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _get(tables, keys):
    for name in keys:
        if not isinstance(tables, dict) or name not in tables:
            return None
        tables = tables[name]
    return tables


def _name(name):
    return name if BARE.match(name) else json.dumps(name)


def _dotted(keys):
    return ".".join(_name(name) for name in keys)


def _parts(header):
    """The keys that a header or an assignment names."""
    return tuple(json.loads(part) if part.startswith('"') else part.strip("'") for part in re.findall(PART, header))


def _sections(lines):
    """[(keys or None for an array of tables, first line, line after the last)]: the part before any header first."""
    found, start, keys = [], 0, ()
    number = 0
    while number < len(lines):
        if ASSIGNMENT.match(lines[number]):
            number = _end_of_value(lines, number)
            continue
        if ANY_HEADER.match(lines[number]):
            found.append((keys, start, number))
            match = HEADER.match(lines[number])
            start, keys = number, _parts(match.group(1)) if match else None
        number += 1
    return [*found, (keys, start, len(lines))]


def _end_of_value(lines, start):
    """The line after the assignment that begins at `start`: the shortest piece that is TOML by itself."""
    for end in range(start + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return start + 1


def _assignment(lines, start, end, name):
    """(first line, line after the last) of a key's value between two lines; None when it is not there."""
    number = start
    while number < end:
        match = ASSIGNMENT.match(lines[number])
        if not match:
            number += 1
            continue
        after = _end_of_value(lines, number)
        if _parts(match.group(1)) == (name,):
            return number, after
        number = after
    return None


def _with(lines, keys, value):
    table, name = keys[:-1], keys[-1]
    line = "%s = %s" % (_name(name), rendered(value))
    for found, start, end in _sections(lines):
        if found != table:
            continue
        there = _assignment(lines, start, end, name)
        if there:
            indent = re.match(r"\s*", lines[there[0]]).group()
            return [*lines[: there[0]], indent + line, *lines[there[1] :]]
        if not table:
            return _before_tables(lines, end, line)
        indent = re.match(r"\s*", lines[start]).group() + "  "
        return [*lines[: start + 1], indent + line, *lines[start + 1 :]]
    return [*lines, "", "[%s]" % _dotted(table), "  " + line]


def _before_tables(lines, end, line):
    """A top-level value goes behind the last one; what comments the first table stays with that table."""
    last = max([_end_of_value(lines, number) for number in range(end) if ASSIGNMENT.match(lines[number])] or [0])
    gap = [""] if last < len(lines) and lines[last].strip() else []
    return [*lines[:last], line, *gap, *lines[last:]]


def _without(lines, keys):
    """The lines without a value, or without a table and all below it."""
    for found, start, end in _sections(lines):
        there = _assignment(lines, start, end, keys[-1]) if found == keys[:-1] else None
        if there:
            return [*lines[: there[0]], *lines[there[1] :]]
    gone = {
        number for found, start, end in _sections(lines) if found is not None and found[: len(keys)] == keys for number in range(start, end)
    }
    return [line for number, line in enumerate(lines) if number not in gone]
