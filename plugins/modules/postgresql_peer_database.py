#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_peer_database
short_description: A PostgreSQL database for a service on the same host, without a password
version_added: 0.2.0
description:
  - Makes a role that logs in over the local socket by the name of its system user (peer authentication), and a database that it owns.
  - Speaks to the server through C(psql) as the system user C(postgres), and needs no Python driver.
  - Refuses a database of somebody else, one in another encoding than UTF8, and a role that is a superuser.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Reads only. Where PostgreSQL is not installed yet, all is said to be missing.
  diff_mode:
    support: full
    description: Shows the SQL that is, or would be, run.
  idempotent:
    support: full
    description: What is there already is left alone.
options:
  role:
    description: Name of the role, which is that of the system user.
    type: str
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
  port:
    description: Port in the name of the server's socket.
    type: int
    default: 5432
  wait:
    description: Seconds to wait for a server that has just been started.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Give MLflow a database
  mlinfra.hosts.postgresql_peer_database:
    role: mlflow
    database: mlflow
  become: true
"""

RETURN = r"""
statements:
  description: The SQL that was run, or would be.
  returned: success
  type: list
  elements: str
  sample: [CREATE ROLE mlflow LOGIN;]
version:
  description: The server's version; null when it is not there yet, in check mode.
  returned: success
  type: str
  sample: 15.14 (Debian 15.14-0+deb12u1)
"""

import pwd
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.postgresql import peer

ARGUMENTS = {
    "role": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "wait": {"type": "int", "default": 30},
}
NOTHING = {"role": None, "database": None, "version": None}


class PsqlError(Exception):
    """What psql said; its status is 2 when there is no connection."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


def psql(program, port, sql):
    """What the statement answers, as text.

    :raises PsqlError: it failed.
    """
    account = pwd.getpwnam("postgres")
    done = subprocess.run(
        [program, "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=postgres"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGPORT": str(port), "PGCONNECT_TIMEOUT": "10", "HOME": account.pw_dir},
    )
    if done.returncode:
        raise PsqlError(" ".join(done.stderr.split()), done.returncode)
    return done.stdout


def patiently(module, program, sql, clock=time.monotonic, sleep=time.sleep):
    """psql, again and again while there is no connection."""
    end = clock() + module.params["wait"]
    while True:
        try:
            return psql(program, module.params["port"], sql)
        except PsqlError as error:
            if error.status != 2 or clock() >= end:
                raise
            sleep(0.5)


def bring(module, program):
    """The module's result."""
    role, database = module.params["role"], module.params["database"]
    seen = peer.parse(patiently(module, program, peer.look(role, database))) if program else NOTHING
    refusal = peer.refusal(seen, role, database)
    if refusal:
        module.fail_json(msg=refusal)
    wanted = peer.statements(seen, role, database)
    if not module.check_mode:
        for statement in wanted:
            psql(program, module.params["port"], statement)
    return {
        "changed": bool(wanted),
        "statements": wanted,
        "version": seen["version"],
        "diff": {"before_header": "PostgreSQL", "after_header": "PostgreSQL", "before": "", "after": "".join(s + "\n" for s in wanted)},
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    problems = [peer.problem_of(option, module.params[option]) for option in ("role", "database")]
    if any(problems):
        module.fail_json(msg="\n".join(filter(None, problems)))
    program = module.get_bin_path("psql", required=not module.check_mode)
    try:
        module.exit_json(**bring(module, program))
    except (PsqlError, ValueError, KeyError, OSError) as error:
        module.fail_json(
            msg="PostgreSQL cannot be asked on this host through its socket (port %d) as user postgres: %s. "
            "Look at systemctl status postgresql and pg_lsclusters." % (module.params["port"], error)
        )


if __name__ == "__main__":
    main()
