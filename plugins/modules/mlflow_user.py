#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_user
short_description: An account of an MLflow server with basic authentication
version_added: 0.2.0
description:
  - Makes, changes or removes an account over MLflow's REST API, and proves on the way that the server answers, refuses whoever has no
    account, and knows its administrator.
  - Names and passwords are read from files on the host, in the format of MLflow's C(~/.mlflow/credentials), so that none passes
    through Ansible.
  - When there is a file like O(login_file) with C(.new) behind its name, the administrator gets the password in it first, and the file
    takes the other one's place. A change that was interrupted is completed that way.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Reads from the server, and says what it would change.
  diff_mode:
    support: full
    description: Passwords are left out.
  idempotent:
    support: full
    description: A password that the account has already is not set again.
options:
  url:
    description: Address of the server.
    type: str
    required: true
  login_file:
    description: File on the host with the administrator's name and password.
    type: path
    default: /etc/mlflow/admin.ini
  account_file:
    description: File on the host with name and password of the account.
    type: path
    required: true
  admin:
    description: Whether the account may administer the server.
    type: bool
    default: false
  state:
    description: Whether the account shall be there.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: Seconds to wait for the server's first answer. Importing MLflow alone takes half a minute on a small host.
    type: int
    default: 120
  unit:
    description: Name of the server's systemd service. With it, a service that has failed is not waited for, and its log is shown.
    type: str
"""

EXAMPLES = r"""
- name: Give jobs an account
  mlinfra.hosts.mlflow_user:
    url: http://127.0.0.1:5000
    account_file: /etc/mlflow/job.ini
  become: true
"""

RETURN = r"""
name:
  description: Name of the account.
  returned: success
  type: str
  sample: jobs
actions:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: [create]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import accounts, credentials, files, waiting
from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow.client import MlflowClient, MlflowError

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "login_file": {"type": "path", "default": "/etc/mlflow/admin.ini"},
    "account_file": {"type": "path", "required": True},
    "admin": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "wait": {"type": "int", "default": 120},
    "unit": {"type": "str"},
}
CHANGED_LOGIN = "change of the administrator's password"


def stored(path):
    """(name, password) in the file.

    :raises CredentialsError: it is missing, or holds no account.
    """
    if not os.path.exists(path):
        raise credentials.CredentialsError("%s is not there: it holds the account. Run role mlinfra.hosts.mlflow_server first." % path)
    return credentials.parse(files.read(path), path)


def log_in(params, check_mode):
    """(client of the administrator, whether its password was changed, or would be).

    :raises MlflowError: the server knows neither the password in the file nor the new one.
    """
    path, new = params["login_file"], params["login_file"] + ".new"
    client = MlflowClient(params["url"], *stored(path))
    if not os.path.exists(new):
        require_admin(client, path)
        return client, False
    name, password = stored(new)
    renewed = MlflowClient(params["url"], name, password)
    if renewed.me() is None:
        require_admin(client, path)
        if check_mode:
            return client, True
        client.set_password(name, password, current=stored(path)[1])
        require_admin(renewed, new)
    if not check_mode:
        os.replace(new, path)
    return renewed, True


def require_admin(client, path):
    """Fail unless this client is an administrator."""
    me = client.me()
    if me is None:
        raise MlflowError(
            "%s does not accept account %s with the password in %s: it was changed elsewhere. Set mlflow_server_admin_password to the "
            "password that counts after removing %s, or remove the file to have the role set a new one on the server's host."
            % (client.url, client.name, path, path)
        )
    if not me.get("is_admin"):
        raise MlflowError("%s: account %s of %s is no administrator. Name one there." % (client.url, client.name, path))


def refuse_anybody_else(url):
    """Fail when the server answers somebody without an account."""
    if MlflowClient(url).me() is not None:
        raise MlflowError("%s answers without asking for a password: basic authentication is off. Is another service behind it?" % url)


def bring(module):
    """The module's result."""
    params = module.params
    refuse_anybody_else(params["url"])
    client, renewed = log_in(params, module.check_mode)
    name, password = stored(params["account_file"])
    # An account that can log in is there; each password costs the server a slow hash, so it is asked no more than it must.
    me = MlflowClient(params["url"], name, password).me()
    found = me or client.find(name)
    actions = accounts.plan(params["state"], found, me is not None, params["admin"])
    if not module.check_mode:
        accounts.apply(client, actions, name, password)
    return {
        "changed": renewed or bool(actions),
        "name": name,
        "actions": ([CHANGED_LOGIN] if renewed else []) + actions,
        "diff": accounts.difference(name, params["state"], found, me is not None, params["admin"]),
    }


def secrets_of(*paths):
    """The passwords in these files, to be kept out of a log that is shown."""
    found = []
    for path in paths:
        try:
            found.append(stored(path)[1])
        except (credentials.CredentialsError, OSError):
            continue
    return found


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    unit = waiting.UnitState(module, params["unit"])
    waited = False
    try:
        waiting.until_healthy(MlflowClient(params["url"]), params["wait"], unit)
        waited = True
        module.exit_json(**bring(module))
    except credentials.CredentialsError as error:
        module.fail_json(msg=str(error))
    except MlflowError as error:
        hidden = secrets_of(params["login_file"], params["login_file"] + ".new", params["account_file"])
        # What the server refuses is said by the answer; its log is for a server that does not answer.
        silent = not waited or (error.status or 0) >= 500
        module.fail_json(msg=str(error) + (unit.last_words(hidden) if silent else ""))
    except OSError as error:
        module.fail_json(msg="%s cannot be read or written: %s. Is the task run with become: true?" % (error.filename, error.strerror))


if __name__ == "__main__":
    main()
