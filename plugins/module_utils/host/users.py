# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What users of a host shall be like, against what they are: pure functions.

A wish is one element of the option users of module host_users. A state is {exists, shell, groups, ssh_keys, sudo}: groups are the further
ones, ssh_keys the keys of our block of authorized_keys, sudo whether our file in /etc/sudoers.d is there (None: with another text).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import keys

# Debian's adduser takes these by default; neither sudoers nor a file name needs any quoting then.
NAME = re.compile(r"^[a-z_][a-z0-9_-]{0,31}$")
NO_LOGIN = re.compile(r"/(?:nologin|false|true|sync)$")
SHELL = "/bin/bash"
GONE = {"exists": False, "shell": None, "groups": [], "ssh_keys": [], "sudo": False}


def input_problems(wishes):
    """Messages about values that are wrong on any host."""
    found, seen = [], set()
    for index, wish in enumerate(wishes):
        where = "host_baseline_users[%d]" % index
        name = wish["name"]
        if not NAME.match(name):
            expected = "expected a small letter or _, then at most 31 small letters, digits, _ and -. Choose another name."
            found.append("%s.name is %r: %s" % (where, name, expected))
        if name in seen:
            found.append("%s.name is %s: there is another entry for it. Make one of the two." % (where, name))
        seen.add(name)
        found += ["%s.groups has %r: expected the name of a group." % (where, group) for group in wish["groups"] if not NAME.match(group)]
        if wish["shell"] and not re.match(r"^/[A-Za-z0-9/._+-]+$", wish["shell"]):
            found.append("%s.shell is %r: expected the path of a program, as in /bin/bash." % (where, wish["shell"]))
        for number, line in enumerate(wish["ssh_keys"] or []):
            problem = keys.problem(line)
            if problem:
                found.append("%s.ssh_keys[%d] (of %s) %s." % (where, number, name, problem))
    return found


def after(wish, before):
    """The state that the user shall have."""
    if wish["state"] == "absent":
        return dict(GONE)
    return {
        "exists": True,
        "shell": wish["shell"] or before["shell"] or SHELL,
        "groups": sorted(set(before["groups"]) | set(wish["groups"])),
        "ssh_keys": before["ssh_keys"] if wish["ssh_keys"] is None else [line.strip() for line in wish["ssh_keys"]],
        "sudo": wish["sudo"],
    }


def lockouts(name, before, then):
    """Messages about what would shut out the user that this run is connected as."""
    who = "%s is who this run is connected as" % name
    if not then["exists"]:
        return ["%s: removing it would shut you out. Connect as another user to do that." % who]
    found = []
    if then["shell"] != before["shell"] and NO_LOGIN.search(then["shell"]):
        found.append("%s: the shell %s would shut you out. Connect as another user to do that." % (who, then["shell"]))
    lost = len(set(before["ssh_keys"]) - set(then["ssh_keys"]))
    if lost:
        found.append("%s: taking away %d of its ssh keys may shut you out. Keep them, or connect as another user." % (who, lost))
    if before["sudo"] and not then["sudo"]:
        found.append("%s: taking its sudo away may shut you out. Keep sudo: true, or connect as another user." % who)
    return found


def commands(name, before, then, known_groups):
    """[argv] that make the account itself (not its keys and sudo file) so. known_groups: names of the groups that are there."""
    if not then["exists"]:
        return [["userdel", name]] if before["exists"] else []
    missing = [group for group in then["groups"] if group not in known_groups]
    todo = [["groupadd", "--system", group] for group in missing]
    further = sorted(set(then["groups"]) - set(before["groups"]))
    if not before["exists"]:
        groups = ["--groups", ",".join(then["groups"])] if then["groups"] else []
        # An account whose name is a group's that is there gets that group.
        primary = ["--gid", name] if name in known_groups else ["--user-group"]
        return todo + [["useradd", "--create-home", "--shell", then["shell"]] + primary + groups + [name]]
    change = ["--shell", then["shell"]] if then["shell"] != before["shell"] else []
    change += ["--append", "--groups", ",".join(further)] if further else []
    return todo + ([["usermod"] + change + [name]] if change else [])


def sudoers(name):
    """Text of our file in /etc/sudoers.d: everything without a password, since such users log in by key and have none."""
    return "# Written by mlinfra.hosts.host_users: changes by hand are lost.\n%s ALL=(ALL:ALL) NOPASSWD: ALL\n" % name
