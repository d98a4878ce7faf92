# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What keeps a role from a host: pure functions over what was wished of module host_preflight and what was seen."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import listeners


def of_input(wish):
    """Messages about values that are wrong on any host. wish: the options of module host_preflight."""
    found = []
    for port in wish["ports"]:
        setting = port["setting"] or "ports[].port"
        if not 1 <= port["port"] <= 65535:
            found.append("%s is %d: expected 1 to 65535." % (setting, port["port"]))
        try:
            ipaddress.ip_address(port["address"])
        except ValueError:
            found.append("%s: %r is no address to listen on. Use one IPv4 or IPv6 address, 0.0.0.0 for all." % (setting, port["address"]))
    for folder in wish["directories"]:
        if folder["mode"] and not re.match(r"^[0-7]{3,4}$", folder["mode"]):
            found.append("mode of %s is %r: expected octal digits, as in 0755." % (folder["path"], folder["mode"]))
    relative = [one["path"] for one in wish["free"] + wish["directories"]] + wish["paths"] + wish["contents"]
    found += ["%s is no absolute path. Begin it with a slash." % path for path in relative if not path.startswith("/")]
    return found


def all_of(wish, seen):
    """Messages, each with its next step. wish: the module's options; seen: {systemd, ports, free} of this host."""
    found = []
    if wish["systemd"] and not seen["systemd"]:
        found.append(
            "This host does not run systemd (/run/systemd/system is missing): its services are set up as systemd units. "
            "Use a host that boots with it."
        )
    for port in wish["ports"]:
        found += port_problems(port, seen["ports"][str(port["port"])])
    for space in wish["free"]:
        found += space_problems(space, seen["free"][space["path"]])
    return found


def port_problems(wish, holders):
    """One message for each process that is in the way. wish: {port, unit, address, setting}; holders: see listeners.listening."""
    addresses = {}
    for holder in holders:
        if (wish["unit"] and holder["unit"] == wish["unit"]) or not listeners.collides(wish["address"], holder["address"]):
            continue
        who = "a process that /proc does not show"
        if holder["pid"]:
            who = "%s (pid %d%s)" % (holder["command"], holder["pid"], ", %s" % holder["unit"] if holder["unit"] else "")
        addresses.setdefault(who, []).append(holder["address"])
    what, other = ("%s is %d" % (wish["setting"], wish["port"]), wish["setting"]) if wish["setting"] else ("Port %d" % wish["port"], "port")
    return [
        "%s: %s listens there already, on %s. Stop it, or choose another %s." % (what, who, " and ".join(addresses[who]), other)
        for who in addresses
    ]


def space_problems(wish, mib):
    """A message when there is too little room. wish: {path, mib, setting, reason}; mib: what is free."""
    if mib >= wish["mib"]:
        return []
    purpose = " for %s" % wish["reason"] if wish["reason"] else ""
    instead = ", or choose another %s" % wish["setting"] if wish["setting"] else ""
    return [
        "%s has %d MiB free: %d MiB are needed%s. Make room or enlarge its file system%s."
        % (wish["path"], mib, wish["mib"], purpose, instead)
    ]
