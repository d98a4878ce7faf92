# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Why an installer failed, in words with the next step, from what uv or pip printed."""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import secrets

_LAST_LINES = 12


def explain(output, python, index):
    """One message for an installer's output. python: its version, as 3.11.2. index: where it installed from, in words for the reader."""
    text = secrets.hide(output)
    for pattern, message in _KNOWN:
        found = re.search(pattern, text, re.IGNORECASE | re.DOTALL)
        if found:
            return message(found, text, python, index)
    return "the installer failed:\n%s" % "\n".join(text.strip().splitlines()[-_LAST_LINES:])


def _full(found, text, python, index):
    return "the disk is full. Free space where the environment and its temporary files are (df shows it), then run again"


def _mismatch(found, text, python, index):
    package = re.search(r"(?:download|fetch|prepare|install|build)[^\n]*?`([^`\s]+)`|([\w.-]+==[^\s;]+) from [^\n]*?\n\s*Expected", text)
    name = next((group for group in package.groups() if group), None) if package else None
    got = re.search(r"(?:Computed:\s*|Got\s+)(?:sha256:)?([0-9a-f]{64})", text)
    return "%s from %s is not the file that was pinned (%s): nothing of it was installed. %s" % (
        name or "a package",
        index,
        "it has SHA-256 %s" % got.group(1) if got else "its hash is another one",
        "Compare with the index that the list was made from; after a wanted change make the list again",
    )


def _unpinned(found, text, python, index):
    return (
        "%s is needed by a package of the list and is not in it: make the list again with uv pip compile --generate-hashes" % found.group(1)
    )


def _no_wheel(found, text, python, index):
    return (
        "%s has no wheel for Python %s on this machine: pin a version that has one, choose another Python, "
        "or allow building from source with allow_build (build requirements are not pinned)" % (found.group(1), python)
    )


def _refused(found, text, python, index):
    return "%s wants a user and password (%s): give them in index_url as https://USER:PASSWORD@HOST/…" % (index, found.group(0))


def _no_version(found, text, python, index):
    return "%s has no %s: check the list, or give an index_url that has it" % (index, found.group(1))


def _no_package(found, text, python, index):
    return "%s has no package %s: check its name, and that index_url is the address of a simple index" % (index, found.group(1))


def _certificate(found, text, python, index):
    advice = "add its authority to the system's store with update-ca-certificates (Debian, Ubuntu) or update-ca-trust (RHEL, Amazon Linux)"
    return "the certificate of %s is not trusted (%s): %s" % (index, found.group(0).strip(), advice)


def _unreachable(found, text, python, index):
    where = re.search(r"(?:Failed to fetch:|error sending request for url|url:)\s*\(?`?(https?://[^\s)`]+)", text)
    return "%s does not answer (%s: %s): check index_url, proxy and the network" % (
        index,
        where.group(1) if where else "no connection",
        _last(found),
    )


def _last(found):
    return re.sub(r"\s+", " ", found.group(0)).strip(" .:'\")")[:160]


_NO_ANSWER = (
    r"Connection refused|Network is unreachable|No route to host|Name or service not known|Temporary failure in name resolution|"
    r"failed to lookup address information[^\n]*|operation timed out|timed out|Connection reset[^\n]*|tunnel error[^\n]*|"
    r"HTTP status (?:client|server) error[^\n]*|error sending request[^\n]*"
)
# The first that fits counts: a full disk or a wrong hash is the cause of whatever else is printed.
_KNOWN = (
    (r"No space left on device|Disk quota exceeded", _full),
    (r"Hash mismatch for|DO NOT MATCH THE HASHES", _mismatch),
    (r"no trusted hash was provided for: `?([\w.\-\[\]]+)", _unpinned),
    (r"all requirements must have their versions pinned[^\n]*\n\s*([\w.\-]+)", _unpinned),
    (r"invalid peer certificate[^\n]*|CERTIFICATE_VERIFY_FAILED[^\n)]*", _certificate),
    (r"\b(?:401 Unauthorized|403 Forbidden|407 Proxy Authentication Required)\b", _refused),
    (r"Because ([\w.-]+==\S+) has no (?:usable wheels|wheels with a matching)", _no_wheel),
    (r"there is no version of ([\w.-]+==[^\s,]+)", _no_version),
    (r"Because ([\w.-]+) was not found in the package registry", _no_package),
    (_NO_ANSWER, _unreachable),
    (r"No matching distribution found for ([\w.-]+==[^\s(]+)", _no_version),
)
