#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_client
short_description: Where a user's jobs find MLflow, and the account that they use
version_added: 0.2.0
description:
  - Writes a user's C(~/.mlflow/credentials), which MLflow's client reads by itself, and a file for all with the server's address.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Says what it would write, on a host without the user too.
  diff_mode:
    support: full
    description: The account's password is left out.
  idempotent:
    support: full
    description: Files that say what they shall are left alone.
options:
  user:
    description: User whose jobs use MLflow. It must be there, see RV(user_missing).
    type: str
    required: true
  home:
    description: Its home folder, which this module makes when it is missing.
    type: path
    required: true
  credentials:
    description: Name and password, as text in the format of C(~/.mlflow/credentials).
    type: str
    required: true
  settings_file:
    description: File with the address, as JSON with C(tracking_uri). All may read it, it holds no secret.
    type: path
    default: /etc/mlinfra/mlflow.json
  tracking_uri:
    description: Address of the server.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Let jobs of this host use MLflow
  mlinfra.hosts.mlflow_client:
    user: mlinfra-job
    home: /var/lib/mlinfra-job
    credentials: "{{ vault_mlflow_credentials }}"
    tracking_uri: http://10.0.0.5:5000
  become: true
"""

RETURN = r"""
user_missing:
  description: Whether O(user) is not there. Nothing is written then.
  returned: success
  type: bool
files:
  description: The files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/mlinfra/mlflow.json]
"""

import json
import os
import pwd

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.rights import rights_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials, files

ARGUMENTS = {
    "user": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "credentials": {"type": "str", "required": True, "no_log": True},
    "settings_file": {"type": "path", "default": "/etc/mlinfra/mlflow.json"},
    "tracking_uri": {"type": "str", "required": True},
}


def account_of(name):
    """The user's entry, or None while there is no such user."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def difference(path, before, text):
    return {"before_header": path, "after_header": path, "before": before, "after": text}


def bring_address(params, module):
    """Diffs of the file for all; written unless in check mode. Its folder is shared with other roles."""
    path, text = params["settings_file"], json.dumps({"tracking_uri": params["tracking_uri"]}, indent=2) + "\n"
    if not files.differs(path, text, "0644", "root"):
        return []
    before = files.read(path)
    if not module.check_mode:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        files.write(module, path, text, "0644", "root")
    return [difference(path, before, text)]


def bring_credentials(params, module, account):
    """Diffs of the user's file; written, as that user, unless in check mode."""
    name, password = credentials.parse(params["credentials"], "The account of the server's host")
    if os.path.normpath(account.pw_dir) != os.path.normpath(params["home"]):
        raise credentials.CredentialsError(
            "User %s has the home folder %s on this host: expected %s, where MLflow's client would not find the account. "
            "Run usermod --home %s %s." % (params["user"], account.pw_dir, params["home"], params["home"], params["user"])
        )
    folder, text = os.path.join(params["home"], ".mlflow"), credentials.render(name, password)
    path = os.path.join(folder, "credentials")
    group = files.group_name(account.pw_gid)
    home = (params["home"], params["user"], group, "0700")
    if files.folder_differs(*home) and not module.check_mode:
        files.make_folder(*home)
    with rights_of(account):
        ready = not files.folder_differs(folder, params["user"], group, "0700")
        if ready and not files.differs(path, text, "0600", group, params["user"]):
            return []
        there = os.path.exists(path)
        if not module.check_mode:
            files.make_folder(folder, params["user"], group, "0700")
            files.write(module, path, text, "0600", group, params["user"])
    return [difference(path, *(("(an account)\n", "(another account)\n") if there else ("", "(an account)\n")))]


def bring(module):
    """The module's result."""
    params, account = module.params, account_of(module.params["user"])
    if account is None and not module.check_mode:
        return {"changed": False, "user_missing": True, "files": [], "diff": []}
    diff = bring_address(params, module)
    if account is None:
        diff.append(difference(os.path.join(params["home"], ".mlflow", "credentials"), "", "(an account)\n"))
    else:
        diff += bring_credentials(params, module, account)
    return {"changed": bool(diff), "user_missing": account is None, "files": [entry["after_header"] for entry in diff], "diff": diff}


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        module.exit_json(**bring(module))
    except credentials.CredentialsError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        told = (error.filename, error.strerror)
        module.fail_json(msg="%s cannot be written: %s. Is there room, and is the task run with become: true?" % told)


if __name__ == "__main__":
    main()
