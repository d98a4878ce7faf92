#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_users
short_description: Users of a host with their groups, ssh keys and sudo, all at once
version_added: 0.2.0
description:
  - Makes each user as wished, in one transfer for all of them.
  - Adds to what there is. Groups are added, never taken away; ssh keys have a marked block of C(~/.ssh/authorized_keys), beside which
    nothing changes; sudo has a file of its own in C(/etc/sudoers.d), checked with C(visudo) before it counts.
  - Refuses what would shut out the user that the run is connected as.
  - Files in a home are written with that user's own rights, so that a link there leads to nothing that the user may not write.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Predicts each change.
  diff_mode:
    support: full
    description: Shows each changed user before and after.
options:
  users:
    description: The users. Others are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      groups:
        description: Groups to be in. A group that is not there is made, as a system group.
        type: list
        elements: str
        default: []
      shell:
        description: Login shell. A new user without one gets V(/bin/bash), another keeps what it has.
        type: str
      ssh_keys:
        description: Public keys of our block, one per element. Left out, the block stays as it is; an empty list removes it.
        type: list
        elements: str
      sudo:
        description: Whether the user may do everything as root, without a password.
        type: bool
        default: false
      state:
        description: V(absent) removes the user, and leaves its home.
        type: str
        choices: [present, absent]
        default: present
  connected_as:
    description: User that the run is connected as. Found out by itself when it becomes root by sudo.
    type: str
"""

EXAMPLES = r"""
- name: Let Ada in, as an administrator
  mlinfra.hosts.host_users:
    users:
      - name: ada
        groups: [adm]
        ssh_keys:
          - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt ada
        sudo: true
      - name: charles
        state: absent
  become: true
"""

RETURN = r"""
users:
  description: Names of the users that were changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [ada]
"""

import grp
import os
import pwd
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import accounts, keys, users
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.rights import rights_of

SUDOERS = "/etc/sudoers.d"

ARGUMENTS = {
    "users": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "groups": {"type": "list", "elements": "str", "default": []},
            "shell": {"type": "str"},
            "ssh_keys": {"type": "list", "elements": "str", "no_log": False},
            "sudo": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "connected_as": {"type": "str"},
}


class Refused(Exception):
    """A user cannot be made as wished; the message says why and what to do."""


def sudo_file(name):
    """Our file in /etc/sudoers.d."""
    return os.path.join(SUDOERS, "mlinfra-" + name)


def keys_file(account):
    return os.path.join(account.pw_dir, ".ssh", "authorized_keys")


def look(name):
    """The state of a user, see module_utils/host/users.py."""
    seen = accounts.look(name)
    found = {"exists": seen["exists"], "shell": seen["shell"], "groups": seen["groups"], "ssh_keys": []}
    found["sudo"] = os.path.exists(sudo_file(name)) and (read(sudo_file(name)) == users.sudoers(name) or None)
    if seen["exists"]:
        account = pwd.getpwnam(name)
        with rights_of(account):
            found["ssh_keys"] = keys.block(read(keys_file(account))) or []
    return found


def primary_group(name):
    """The group that a user has, or will have, anyway."""
    return accounts.look(name)["group"] or name


def write_keys(name, wished):
    """Write our block into the user's authorized_keys, by a new file that takes its place. Raises Refused."""
    account = pwd.getpwnam(name)
    path = keys_file(account)
    if not os.path.isdir(account.pw_dir):
        gone = "The home of %s, %s, is not there: its ssh keys have no place. Make it (mkhomedir_helper %s)."
        raise Refused(gone % (name, account.pw_dir, name))
    try:
        with rights_of(account):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            text = ""
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="surrogateescape") as file:
                    text = file.read()
            descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".authorized_keys.")
            try:
                with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(keys.with_block(text, wished))
                os.replace(beside, path)
            except OSError:
                os.unlink(beside)
                raise
    except OSError as error:
        raise Refused("%s cannot be written with the rights of %s: %s. Look at who owns it." % (path, name, error.strerror)) from error


def write_sudo(module, name):
    """Write our file in /etc/sudoers.d once visudo finds nothing wrong with it. Raises Refused."""
    visudo = module.get_bin_path("visudo")
    if not visudo:
        raise Refused("%s shall have sudo, and this host has no visudo: install the package sudo first." % name)
    # sudo reads no file with a dot in its name.
    descriptor, path = tempfile.mkstemp(dir=SUDOERS, prefix=".mlinfra-")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(users.sudoers(name))
        os.chmod(path, 0o440)
        code, out, err = module.run_command([visudo, "-c", "-f", path])
        if code:
            raise Refused("visudo finds %s wrong for %s: %s" % (sudo_file(name), name, (err or out).strip()))
        os.replace(path, sudo_file(name))
    finally:
        if os.path.exists(path):
            os.unlink(path)


def apply(module, name, before, then):
    """Make a user as it shall be. Raises Refused."""
    if before["sudo"] is not False and not then["sudo"]:
        os.unlink(sudo_file(name))
    for command in users.commands(name, before, then, {group.gr_name for group in grp.getgrall()}):
        code, out, err = module.run_command(command)
        if code:
            raise Refused("%s failed: %s" % (" ".join(command), (err or out).strip() or "it said nothing"))
    if then["exists"] and then["ssh_keys"] != before["ssh_keys"]:
        write_keys(name, then["ssh_keys"])
    if then["sudo"] and not before["sudo"]:
        write_sudo(module, name)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wishes = module.params["users"]
    problems = users.input_problems(wishes)
    if problems:
        module.fail_json(msg="\n".join(problems))
    connected = module.params["connected_as"] or os.environ.get("SUDO_USER") or os.environ.get("LOGNAME")
    changes = []
    for wish in wishes:
        name, before = wish["name"], look(wish["name"])
        wish["groups"] = [group for group in wish["groups"] if group != primary_group(name)]
        then = users.after(wish, before)
        if name in (connected, "root"):
            problems += users.lockouts(name, before, then)
        missing = then["exists"] and then["shell"] != before["shell"] and not os.access(then["shell"], os.X_OK)
        if missing:
            problems.append("The shell of %s, %s, is not on this host. Install it first, or choose another." % (name, then["shell"]))
        if then != before:
            changes.append((name, before, then))
    if problems:
        module.fail_json(msg="\n".join(problems))
    try:
        for name, before, then in changes if not module.check_mode else []:
            apply(module, name, before, then)
    except Refused as refused:
        module.fail_json(msg=str(refused))
    diff = {side: {change[0]: change[index] for change in changes} for index, side in ((1, "before"), (2, "after"))}
    module.exit_json(changed=bool(changes), users=[change[0] for change in changes], diff=diff)


if __name__ == "__main__":
    main()
