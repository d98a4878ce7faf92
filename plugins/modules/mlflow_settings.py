#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_settings
short_description: Settings, secrets and database of an MLflow server
version_added: 0.2.0
description:
  - Writes what an MLflow server with basic authentication is told, its unit among it, and makes the secrets that are missing.
    They are made on the host and stay there; neither the result nor a diff shows one.
  - Tries the database and the bucket first, with MLflow's own Python as the service's user. What does not work is refused before a
    file is changed.
  - Makes or upgrades the database's schemas (an SQLite file is copied first), and the administrator's account, so that the server never
    runs without it.
  - RV(restart_pending) stays true until C(restart-pending) in O(folder) is removed by whoever restarted the service.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Predicts the files; neither database nor bucket is tried.
  diff_mode:
    support: full
    description: Secrets are left out.
  idempotent:
    support: full
    description: Secrets that are there are kept; database and bucket are tried again only when something about them has changed.
options:
  python:
    description: The Python of the environment that MLflow is installed in.
    type: path
    required: true
  environment_sha256:
    description: What tells this environment from another one. When it changes, the schemas are looked at again.
    type: str
    required: true
  user:
    description: User that the service runs as.
    type: str
    default: mlflow
  folder:
    description: Folder of the settings. It belongs to root, and O(user)'s group may read it.
    type: path
    default: /etc/mlflow
  data:
    description: Folder of the service's data, which belongs to O(user).
    type: path
    default: /var/lib/mlflow
  unit:
    description: Name of the service, which is stopped while a schema is upgraded.
    type: str
    default: mlflow.service
  unit_file:
    description: Where the unit goes.
    type: path
    default: /etc/systemd/system/mlflow.service
  unit_content:
    description: The unit's text. It holds no secret.
    type: str
    required: true
  database_url:
    description: SQLAlchemy URL of the tracking store.
    type: str
    required: true
  auth_database_url:
    description: SQLAlchemy URL of the accounts.
    type: str
    required: true
  artifacts:
    description: Folder, or C(s3://bucket/prefix), of the artifacts.
    type: str
    required: true
  s3_endpoint_url:
    description: Endpoint of an S3-compatible store.
    type: str
  s3_region:
    description: Region that requests to S3 are signed for.
    type: str
  admin_username:
    description: Name of the administrator.
    type: str
    default: admin
  admin_password:
    description: Its password. Without one, one is made, once. One that differs is left as RV(admin_password_pending).
    type: str
  job_username:
    description: Name of the account that jobs use.
    type: str
    default: jobs
  job_password:
    description: Its password. Without one, one is made, once.
    type: str
  default_permission:
    description: What an account may do with what others have made.
    type: str
    choices: [READ, USE, EDIT, MANAGE, NO_PERMISSIONS]
    default: READ
"""

EXAMPLES = r"""
- name: Configure MLflow
  mlinfra.hosts.mlflow_settings:
    python: /opt/mlinfra/mlflow/bin/python
    environment_sha256: "{{ lookup('ansible.builtin.file', 'mlflow.txt') | hash('sha256') }}"
    unit_content: "{{ lookup('ansible.builtin.template', 'unit.j2') }}"
    database_url: sqlite:////var/lib/mlflow/mlflow.db
    auth_database_url: sqlite:////var/lib/mlflow/auth.db
    artifacts: s3://vision-demo-artifacts/mlflow
  become: true
"""

RETURN = r"""
files:
  description: The files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/mlflow/mlflow.env]
prepared:
  description: What was done to the database, in words.
  returned: success
  type: list
  elements: str
  sample: [tracking schema made, auth schema made, account admin made]
restart_pending:
  description: Whether the service does not run with these settings yet.
  returned: success
  type: bool
admin_password_pending:
  description: Whether the administrator is to get another password, which module M(mlinfra.hosts.mlflow_user) then sees to.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials, installing, probe, settings

ARGUMENTS = {
    "python": {"type": "path", "required": True},
    "environment_sha256": {"type": "str", "required": True},
    "user": {"type": "str", "default": "mlflow"},
    "folder": {"type": "path", "default": "/etc/mlflow"},
    "data": {"type": "path", "default": "/var/lib/mlflow"},
    "unit": {"type": "str", "default": "mlflow.service"},
    "unit_file": {"type": "path", "default": "/etc/systemd/system/mlflow.service"},
    "unit_content": {"type": "str", "required": True},
    "database_url": {"type": "str", "required": True, "no_log": True},
    "auth_database_url": {"type": "str", "required": True, "no_log": True},
    "artifacts": {"type": "str", "required": True},
    "s3_endpoint_url": {"type": "str"},
    "s3_region": {"type": "str"},
    "admin_username": {"type": "str", "default": "admin"},
    "admin_password": {"type": "str", "no_log": True},
    "job_username": {"type": "str", "default": "jobs"},
    "job_password": {"type": "str", "no_log": True},
    "default_permission": {"type": "str", "choices": ["READ", "USE", "EDIT", "MANAGE", "NO_PERMISSIONS"], "default": "READ"},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    problems = settings.problems(module.params)
    if problems:
        module.fail_json(msg="\n".join(problems))
    try:
        result = installing.Installation(module).bring()
    except (probe.PrepareError, credentials.CredentialsError) as error:
        module.fail_json(msg=str(error))
    except KeyError as error:  # of pwd or grp
        told = (module.params["user"], error.args[0] if error.args else error)
        module.fail_json(msg="user is %s: expected a user and a group of that name on this host (%s). Add them first." % told)
    except OSError as error:
        told = (error.filename, error.strerror)
        module.fail_json(msg="%s cannot be written: %s. Is there room, and is the task run with become: true?" % told)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
