# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a job's output says: its result, its last words when it failed, and neither with a secret in it. Pure functions."""

from __future__ import annotations

import json
import re
import signal

MASK = "********"
SHORTEST_SECRET = 6  # shorter values would mask ordinary words
LAST_LINES = 8
TRACEBACK = "Traceback (most recent call last):"
SETTING = re.compile(r"^\s*[\w.-]+\s*[=:]\s*(.+?)\s*$")
# user:password@ of a URL
URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


class JobError(Exception):
    """The job did not do what it should; the message says what, and what to do next."""


def secrets_in(text):
    """[value] of a file of secrets, longest first: what follows the = or : of each line, or the whole line."""
    found = set()
    for line in text.splitlines():
        match = SETTING.match(line)
        value = (match.group(1) if match else line).strip().strip("\"'")
        if len(value) >= SHORTEST_SECRET and not line.lstrip().startswith(("#", ";", "[")):
            found.add(value)
    return sorted(found, key=lambda value: (-len(value), value))


def masked(value, secrets):
    """The text, or the JSON value with all texts in it, without the secrets and without passwords in URLs."""
    if isinstance(value, dict):
        return {masked(key, secrets): masked(entry, secrets) for key, entry in value.items()}
    if isinstance(value, list):
        return [masked(entry, secrets) for entry in value]
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, MASK)
    return URL_CREDENTIALS.sub(MASK, value)


def result_of(output):
    """The JSON value in the last line that is not empty. Raises JobError when there is none."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        raise JobError("it printed nothing: expected JSON in the last line of its output. Let the script end with print(json.dumps(...)).")
    try:
        return json.loads(lines[-1])
    except ValueError:
        raise JobError(
            "the last line of its output is %r: expected JSON. Let the script end with print(json.dumps(...))." % lines[-1][:200]
        ) from None


def last_words(errors):
    """The lines that say why a script ended: the exception of a traceback, or the last lines it wrote."""
    lines = [line.rstrip() for line in errors.splitlines() if line.strip()]
    traces = [number for number, line in enumerate(lines) if line.startswith(TRACEBACK)]
    if traces:
        # frames are indented; the exception's own text begins at the margin
        after = lines[traces[-1] + 1 :]
        begins = next((number for number, line in enumerate(after) if not line.startswith(" ")), None)
        if begins is not None:
            return after[begins : begins + LAST_LINES]
    return lines[-LAST_LINES:]


def ending(code):
    """A return code of subprocess in words."""
    if code >= 0:
        return "exit code %d" % code
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "signal %d" % -code
    return name + (", as the kernel does when memory runs out (see dmesg)" if name == "SIGKILL" else "")
