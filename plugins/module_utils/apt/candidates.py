# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which versions apt knows of a package, and what of a wish it cannot find."""

from __future__ import annotations

import difflib
import fnmatch
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions as order


def parse_policy(text):
    """Output of `apt-cache policy NAME...` -> {name: {candidate, versions}}; candidate is None when apt would choose none."""
    found, current = {}, None
    for line in text.splitlines():
        header = re.match(r"^(\S+):$", line)
        if header:
            current = found.setdefault(header.group(1), {"candidate": None, "versions": []})
            continue
        if current is None:
            continue
        candidate = re.match(r"^  Candidate: (\S+)$", line)
        version = re.match(r"^ (?:\*\*\*|   ) (\S+) -?\d+$", line)
        if candidate and candidate.group(1) != "(none)":
            current["candidate"] = candidate.group(1)
        elif version:
            current["versions"].append(version.group(1))
    return found


def split(wish):
    """'name=version' -> (name, version); None when any will do. It may have * and ?, as for apt-get. 'name<limit' -> (name, '<limit')."""
    name, sign, version = re.match(r"([^=<]*)([=<]?)(.*)", wish, re.DOTALL).groups()
    return name, {"=": version, "<": sign + version, "": None}[sign]


def known(policy, name):
    """What the policy says of a name, which it repeats without the host's own architecture; None when it says nothing."""
    return policy.get(name) or policy.get(name.partition(":")[0])


def choose(policy, wishes):
    """({name: version that would be installed}, {wish: versions there are}) of parse_policy and names, name=version or name<limit."""
    chosen, missing = {}, {}
    for wish in wishes:
        name, version = split(wish)
        entry = known(policy, name) or {"candidate": None, "versions": []}
        preferred = [entry["candidate"]] if entry["candidate"] else []
        if version is None:
            fitting = preferred
        elif version[:1] == "<":
            below = [one for one in entry["versions"] if order.compare(one, version[1:]) < 0]
            fitting = [one for one in preferred if one in below] or [one for one in [order.newest(below)] if one]
        else:
            fitting = [one for one in entry["versions"] if fnmatch.fnmatchcase(one, version)]
        if fitting:
            chosen[name] = fitting[0]
        else:
            missing[wish] = entry["versions"]
    return chosen, missing


def exact(wishes, chosen):
    """Wishes as apt-get takes them, which knows no limit. chosen: see choose."""
    pairs = [(wish,) + split(wish) for wish in wishes]
    return ["%s=%s" % (name, chosen[name]) if (version or "")[:1] == "<" and name in chosen else wish for wish, name, version in pairs]


def problems(missing, all_names):
    """One message for each wish without a candidate. missing: see choose; all_names: every package name that apt knows."""
    found = []
    for wish, versions in missing.items():
        name, version = split(wish)
        if versions:
            there = "this host's sources have %s" % ", ".join(versions[:6])
            which = "below " + version[1:] if version[:1] == "<" else version
            found.append("Package %s has no version %s: %s. Wish one of them, or add the source that has it." % (name, which, there))
            continue
        near = [other for other in all_names if other[:2] == name[:2]]
        close = difflib.get_close_matches(name, near, n=2)
        hint = "Did you mean %s? If not, add" % " or ".join(close) if close else "Check the name, or add"
        found.append("Package %s is in no package source of this host. %s the source that has it." % (name, hint))
    return found
