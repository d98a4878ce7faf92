# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether hosts have the same environments."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import installed


def differences(hosts):
    """{failures: [text], notes: [text]} of {host: [environment, as uv_environment_info returns them]}.

    Each host is compared with the first one that has an environment of that name. Another list, or what the same list means for another
    Python or machine, is a note; another result of the same list on the same ones is a failure.
    """
    found = {"failures": [], "notes": []}
    for kind, text, _pair in _found(hosts):
        found[kind].append(text)
    return found


def by_host(hosts):
    """As differences, but failures is {host: [text]}: either of the two that a text names may be the wrong one."""
    found = {"failures": {}, "notes": []}
    for kind, text, pair in _found(hosts):
        if kind == "notes":
            found[kind].append(text)
            continue
        for host in pair:
            found[kind].setdefault(host, []).append(text)
    return found


def _found(hosts):
    """(kind, text, hosts) of each difference."""
    first = {}
    for host, environments in hosts.items():
        for environment in environments:
            if not environment["there"]:
                continue
            other, model = first.setdefault(environment["name"], (host, environment))
            if other != host:
                kind, text = _compare(model, environment)
                if kind:
                    yield kind, "%s on %s and %s: %s" % (environment["name"], other, host, text), (other, host)


def _compare(model, environment):
    """(kind of difference or None, what differs)."""
    if model["requirements_sha256"] != environment["requirements_sha256"]:
        return "notes", "they are made from different lists"
    if model["digest"] == environment["digest"]:
        return None, ""
    text = _words(model["installed"], environment["installed"])
    if _made_for(model) != _made_for(environment):
        return "notes", "the list means something else for %s than for %s: %s" % (_made_for(environment), _made_for(model), text)
    return "failures", "the same list has made something else: %s. Remove %s there, and run role python_env again" % (
        text,
        environment["path"],
    )


def _made_for(environment):
    """What the markers of a list can depend on, in words."""
    return "Python %s on %s" % (environment["python"] or "unknown", environment.get("machine") or "an unknown machine")


def _words(one, other):
    difference = installed.difference(one, other)
    parts = ["%s %s is there in addition" % pair for pair in difference["added"].items()]
    parts += ["%s %s is not there" % pair for pair in difference["removed"].items()]
    parts += ["%s is %s instead of %s" % (name, new, old) for name, (old, new) in difference["changed"].items()]
    return ", ".join(parts)
