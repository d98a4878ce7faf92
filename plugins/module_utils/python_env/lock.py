# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A pinned list of requirements with hashes, as `uv pip compile --generate-hashes` and pip-compile write it."""

from __future__ import annotations

import hashlib
import re
from collections import namedtuple

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import markers

#: name: as PEP 503 normalises it. version: as written. marker: None without one. line: where it begins, from 1.
Requirement = namedtuple("Requirement", ["name", "version", "marker", "line"])

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*===?\s*(?P<version>[^\s;,*]+)\s*(?:;\s*(?P<marker>.+?))?\s*\Z")
_HASH = re.compile(r"\s--hash[= ](sha256|sha384|sha512):([0-9a-fA-F]+)(?=\s|\Z)")
_COMMENT = re.compile(r"(?:\A|\s)#.*\Z")
_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_MOST_PROBLEMS = 5


class LockError(Exception):
    """The list cannot be used; the text has a line for each mistake."""


def normal_name(name):
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def digest(text):
    """SHA-256 of a list, as Ansible's trim | hash('sha256') makes it on the controller."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def parse(text):
    """[Requirement] of the list. Raises LockError when a line is no pin, has no hash or a marker that cannot be read."""
    found, problems = [], []
    for number, line in _numbered(text):
        requirement, problem = _requirement(number, line)
        if problem:
            problems.append("line %d, %s: %s" % (number, _short(line), problem))
        else:
            found.append(requirement)
    if not found and not problems:
        problems.append("the list is empty: expected lines NAME==VERSION --hash=sha256:…, as uv pip compile --generate-hashes writes them")
    if problems:
        hidden = len(problems) - _MOST_PROBLEMS
        raise LockError("\n".join(problems[:_MOST_PROBLEMS] + (["… and %d more" % hidden] if hidden > 0 else [])))
    return found


def with_lines(text):
    """[(Requirement, its logical line with hashes)] of a list that parse() takes."""
    return [(_requirement(number, line)[0], line) for number, line in _numbered(text)]


def expected(requirements, environment):
    """{name: version} of what the list means for an interpreter with these marker variables. Raises LockError."""
    wished = {}
    for requirement in requirements:
        if requirement.marker and not markers.evaluate(requirement.marker, environment):
            continue
        other = wished.setdefault(requirement.name, requirement.version)
        if other != requirement.version:
            raise LockError(
                "line %d: %s is pinned to %s and to %s for Python %s: their markers must exclude each other"
                % (requirement.line, requirement.name, other, requirement.version, environment["python_full_version"])
            )
    return wished


def _numbered(text):
    """(number of its first line, logical line) without comments and blank ones."""
    begun, parts = None, []
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).rstrip()
        begun = number if begun is None else begun
        parts.append(line[:-1] if line.endswith("\\") else line)
        if not line.endswith("\\"):
            whole = " ".join(part.strip() for part in parts).strip()
            if whole:
                yield begun, whole
            begun, parts = None, []
    whole = " ".join(part.strip() for part in parts).strip()
    if whole:
        yield begun, whole


def _requirement(number, line):
    """(Requirement, None) or (None, what is wrong)."""
    if line.startswith("-"):
        return None, "options are not taken from the list: it has pins and hashes alone, index and proxy are options of the task"
    hashes = _HASH.findall(line)
    match = _PIN.match(_HASH.sub("", line).strip())
    if not match:
        return None, "expected NAME==VERSION, as uv pip compile --generate-hashes writes it"
    if not hashes:
        return None, "it has no --hash=sha256:…: make the list with uv pip compile --generate-hashes"
    if any(len(value) != _LENGTHS[kind] for kind, value in hashes):
        return None, "a hash is not as long as its kind"
    if match.group("marker"):
        try:
            markers.evaluate(match.group("marker"), dict.fromkeys(markers.VARIABLES, "0"))
        except markers.MarkerError as error:
            return None, "marker %s" % error
    return Requirement(normal_name(match.group("name")), match.group("version"), match.group("marker"), number), None


def _short(line):
    """What of a line a message shows. An address in it might carry a password."""
    first = re.sub(r"://[^\s/@]*@", "://***@", line.split(" --hash")[0]).strip()
    return first if len(first) <= 60 else first[:57] + "…"
