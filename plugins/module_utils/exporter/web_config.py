# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The web configuration file of the Prometheus exporters: what it shall say, as text, and what one of ours says.

Format: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
"""

from __future__ import annotations

import json
import re

HEADER = "# Written by mlinfra.hosts.exporter_web_config: changes by hand are lost.\n"


def render(cert_file, key_file, min_version, hashes):
    """Text of the file. hashes: {user: bcrypt hash}. JSON strings are YAML strings, so nothing needs PyYAML on the host."""
    lines = [HEADER.rstrip("\n")]
    if cert_file:
        lines.append("tls_server_config:")
        lines += ["  %s: %s" % pair for pair in (("cert_file", json.dumps(cert_file)), ("key_file", json.dumps(key_file)))]
        lines.append("  min_version: %s" % min_version)
    if hashes:
        lines.append("basic_auth_users:")
        lines += ["  %s: %s" % (json.dumps(user), json.dumps(hashes[user])) for user in sorted(hashes)]
    return "\n".join(lines) + "\n"


def stored_hashes(text):
    """{user: hash} of a file that render wrote; of any other file what has the same form."""
    found, inside = {}, False
    for line in text.splitlines():
        if not line.startswith((" ", "#")):
            inside = line.strip() == "basic_auth_users:"
        match = re.match(r'^  ("(?:[^"\\]|\\.)*"): ("(?:[^"\\]|\\.)*")$', line) if inside else None
        if match:
            found[json.loads(match.group(1))] = json.loads(match.group(2))
    return found


def decide_hashes(users, stored, matches, new_hash):
    """({user: hash}, users whose hash is new). matches(password, hash) and new_hash(password) do the arithmetic."""
    hashes, fresh = {}, []
    for user in sorted(users):
        kept = stored.get(user)
        if kept and matches(users[user], kept):
            hashes[user] = kept
        else:
            hashes[user] = new_hash(users[user])
            fresh.append(user)
    return hashes, fresh


def without_secrets(text, fresh=()):
    """The file's text as a diff may show it: hashes are replaced, and one of `fresh` differs from the one before."""

    def hide(match):
        return "%s(%s)" % (match.group(1), "new hash" if match.group(2) in fresh else "hash")

    return re.sub(r'^(  "(?:[^"\\]|\\.)*": )"(\$2[^"]*)"$', hide, text, flags=re.MULTILINE)
