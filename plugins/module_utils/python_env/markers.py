# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Environment markers of requirements, as PEP 508 has them (https://peps.python.org/pep-0508/#environment-markers).

A host need not have a program that evaluates them before its first environment is built, and a check must answer in milliseconds: so
the few dozen lines that a pinned list needs are here. Comparisons follow PEP 440 for releases, which is all that interpreters have.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'[^']*'|"[^"]*")|(?P<operator><=|>=|==|!=|~=|===|<|>)|(?P<bracket>[()])|(?P<word>[A-Za-z_][\w.]*))"""
)
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
VARIABLES = (
    "implementation_name",
    "implementation_version",
    "os_name",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_full_version",
    "python_version",
    "sys_platform",
)


class MarkerError(Exception):
    """The marker cannot be read; the text says why."""


def evaluate(marker, environment):
    """Whether `marker` holds in `environment`, a dict with a text for each of VARIABLES. Raises MarkerError.

    `extra` is no variable of an interpreter: a pinned list has none left, and it compares as the empty text.
    """
    tokens = _tokens(marker)
    result, rest = _either(tokens, environment, marker)
    if rest:
        raise MarkerError("%r: %r was not expected" % (marker, rest[0][1]))
    return result


def _tokens(marker):
    found, at, text = [], 0, marker.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise MarkerError("%r: %r was not expected" % (marker, text[at:].strip()))
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _either(tokens, environment, marker):
    result, tokens = _both(tokens, environment, marker)
    while tokens and tokens[0] == ("word", "or"):
        other, tokens = _both(tokens[1:], environment, marker)
        result = result or other
    return result, tokens


def _both(tokens, environment, marker):
    result, tokens = _single(tokens, environment, marker)
    while tokens and tokens[0] == ("word", "and"):
        other, tokens = _single(tokens[1:], environment, marker)
        result = result and other
    return result, tokens


def _single(tokens, environment, marker):
    if tokens and tokens[0] == ("bracket", "("):
        result, tokens = _either(tokens[1:], environment, marker)
        if not tokens or tokens[0] != ("bracket", ")"):
            raise MarkerError("%r: a ) is missing" % marker)
        return result, tokens[1:]
    left, tokens = _value(tokens, environment, marker)
    operator, tokens = _operator(tokens, marker)
    right, tokens = _value(tokens, environment, marker)
    return _compare(left, operator, right, marker), tokens


def _value(tokens, environment, marker):
    """((variable name or None, its text), the tokens behind it)."""
    kind, text = tokens[0] if tokens else (None, None)
    if kind == "string":
        return (None, text[1:-1]), tokens[1:]
    if kind == "word" and (text in VARIABLES or text == "extra"):
        return (text, "" if text == "extra" else environment[text]), tokens[1:]
    raise MarkerError("%r: a variable (%s) or a quoted text was expected" % (marker, ", ".join(VARIABLES)))


def _operator(tokens, marker):
    kind, text = tokens[0] if tokens else (None, None)
    if kind == "operator" or (kind, text) == ("word", "in"):
        return text, tokens[1:]
    if tokens[:2] == [("word", "not"), ("word", "in")]:
        return "not in", tokens[2:]
    raise MarkerError("%r: a comparison was expected" % marker)


def _compare(left, operator, right, marker):
    name = left[0] or right[0] or ""
    a, b = left[1], right[1]
    if operator in ("in", "not in"):
        return (a in b) == (operator == "in")
    if name.endswith("version") and name != "platform_version":
        return _compare_versions(a, operator, b, marker)
    results = {"==": a == b, "===": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
    if operator not in results:
        raise MarkerError("%r: %s compares versions only" % (marker, operator))
    return results[operator]


def _release(text, marker):
    match = _RELEASE.match(text)
    if not match:
        raise MarkerError("%r: %r is no version" % (marker, text))
    return [int(part) for part in match.group().split(".")]


def _compare_versions(a, operator, b, marker):
    if operator == "===":
        return a == b
    if b.endswith(".*") and operator in ("==", "!="):
        wished = _release(b[:-2], marker)
        have = _release(a, marker)
        return ((have + [0] * len(wished))[: len(wished)] == wished) == (operator == "==")
    one, two = _release(a, marker), _release(b, marker)
    kept = len(two) - 1
    width = max(len(one), len(two))
    one, two = one + [0] * (width - len(one)), two + [0] * (width - len(two))
    if operator == "~=":
        return one >= two and one[:kept] == two[:kept]
    return {"==": one == two, "!=": one != two, "<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two}[operator]
