# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Package sources of somebody else for NVIDIA's repository: which of them can stay, since apt refuses one repository with two Signed-By.

Formats: sources.list(5), one-line and deb822. "Conflicting values set for option Signed-By" compares the option's text, not the keys.
"""

from __future__ import annotations

import base64
import re

NOTE = "# Switched off by role mlinfra.hosts.nvidia_driver, because apt takes one key for a repository: "
LINE = re.compile(r"^deb(?:-src)?\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<url>\S+)\s+(?P<suite>\S*)", re.IGNORECASE)
ARMOR = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?\n\n(?P<body>.*?)\n(?:=|-----END)", re.DOTALL)


def same_url(one, other):
    return plain_url(one) == plain_url(other)


def plain_url(url):
    """file:/srv and file:///srv are one place."""
    return re.sub(r"^file:/+", "file:/", url.rstrip("/").lower())


def stanzas(text):
    """Paragraphs of a deb822 file."""
    return re.split(r"\n(?:[ \t]*\n)+", text.strip("\n"))


def fields(stanza):
    """{name in lower case: value} of one paragraph, continued lines joined."""
    found, name = {}, None
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            found[name] += "\n" + line.strip()
            continue
        key, colon, value = line.partition(":")
        name = key.strip().lower() if colon else None
        if name:
            found[name] = value.strip()
    return found


def is_suite(names, suite):
    """Whether an entry with these suites is for ``suite``; None: any will do, as of a flat repository."""
    return suite is None or suite in names.split()


def is_entry(stanza, url, suite=None):
    """Whether a paragraph names this repository and is in force."""
    known = fields(stanza)
    if not is_suite(known.get("suites", ""), suite):
        return False
    enabled = known.get("enabled", "yes").lower() not in ("no", "false", "0", "off", "without", "disable")
    return enabled and any(same_url(one, url) for one in known.get("uris", "").split())


def keys_of(path, text, url, suite=None):
    """[Signed-By] of each entry for this repository that is in force: a path, a key itself, or '' for none."""
    if path.endswith(".sources"):
        return [fields(one).get("signed-by", "") for one in stanzas(text) if is_entry(one, url, suite)]
    found = []
    for line in text.splitlines():
        match = LINE.match(line.strip() + " ")
        if match and same_url(match.group("url"), url) and is_suite(match.group("suite"), suite):
            options = dict(part.partition("=")[::2] for part in (match.group("options") or "").split())
            found.append({name.lower(): value for name, value in options.items()}.get("signed-by", ""))
    return found


def switched_off(path, text, url, suite=None):
    """The file's text without this repository in force; all else in it stays."""
    if path.endswith(".sources"):
        parts = [NOTE + url + "\nEnabled: no\n" + without_enabled(one) if is_entry(one, url, suite) else one for one in stanzas(text)]
        return "\n\n".join(parts) + "\n"
    lines = []
    for line in text.splitlines():
        match = LINE.match(line.strip() + " ")
        named = match and same_url(match.group("url"), url) and is_suite(match.group("suite"), suite)
        lines.append("%s%s" % (NOTE, line) if named else line)
    return "\n".join(lines) + "\n"


def without_enabled(stanza):
    return "\n".join(line for line in stanza.splitlines() if not line.lower().startswith("enabled:"))


def dearmored(data):
    """Bytes of a key, whether it is armored or not."""
    match = ARMOR.search(data.decode("ascii", "replace").replace("\r\n", "\n"))
    if not match:
        return data
    try:
        return base64.b64decode("".join(match.group("body").split()))
    except ValueError:
        return data


def judge(found, key):
    """{keep: path or None, off: [paths]}: the source of somebody else that is used, and those that stand in the way of any.

    found: {path: [(Signed-By, bytes of that key or None)]}; key: bytes of the key that the repository is signed with, None while nobody has
    asked. A source without Signed-By is trusted through apt's own keys.
    """
    good = [path for path in sorted(found) if all(data is None and not signed or is_same(data, key) for signed, data in found[path])]
    texts = {path: {signed for signed, unused in found[path]} for path in found}
    keep = next((path for path in good if len(texts[path]) == 1), None)
    off = [path for path in sorted(found) if path != keep and (keep is None or texts[path] != texts[keep])]
    return {"keep": keep, "off": off}


def is_same(data, key):
    """Whether it is the same key; before anybody has asked for the key, any that can be read will do."""
    return data is not None and (key is None or dearmored(data) == dearmored(key))
