#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_job
short_description: Run a Python script in an environment of the host, as a user of the host
version_added: 0.2.0
description:
  - Runs the text of a script with an interpreter that is on the host, such as that of a virtual environment. Values go in as JSON on
    standard input, and come back as JSON in the last line of standard output.
  - As root it drops its privileges to O(user) itself, so that no way to that user by sudo is needed.
  - The script sees a clean environment (C(HOME), C(USER), C(LOGNAME), C(PATH), C(LANG), C(TMPDIR)) with O(environment) added, and a
    temporary folder of its own as the current one. Whatever it leaves running in its process group is ended.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Runs nothing, and says so.
  diff_mode:
    support: none
    description: What a script does is not known beforehand.
  idempotent:
    support: none
    description: Runs the script each time; what that changes is up to the script.
options:
  interpreter:
    description: The Python that runs the script.
    type: path
    required: true
  script:
    description: The text of the script. It is seen in verbose output, so that secrets do not belong into it.
    type: str
    required: true
  modules:
    description: Texts of modules that the script imports, by file name as in V(client.py). They lie beside the script.
    type: dict
    default: {}
  input:
    description: What the script reads as JSON from standard input.
    type: dict
    default: {}
  user:
    description: Whom it runs as. Without it, whoever runs the task.
    type: str
  environment:
    description: Environment variables to add. They are no place for secrets, which belong into files of O(user).
    type: dict
    default: {}
  secret_files:
    description:
      - Files on the host whose values never appear in what this module returns, whatever the script prints. A value is what follows the
        first V(=) or V(:) of a line, or the whole line. Files that are not there are left out.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds after which the script and its process group are ended.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Ask an environment which scikit-learn it has
  mlinfra.hosts.python_job:
    interpreter: /opt/mlinfra/envs/training/bin/python
    user: mlinfra-job
    script: |
      import json, sklearn
      print(json.dumps({"version": sklearn.__version__}))
  become: true
  changed_when: false
  register: job

- name: Show it
  ansible.builtin.debug:
    msg: "{{ job.result.version }}"
"""

RETURN = r"""
ran:
  description: Whether the script was run; not in check mode.
  returned: always
  type: bool
  sample: true
result:
  description: What the script printed as JSON in the last line of its output.
  returned: when it ended well
  type: raw
  sample: {version: 1.7.2}
interpreter:
  description: The interpreter that ran it, as O(interpreter).
  returned: when it was run
  type: str
  sample: /opt/mlinfra/envs/training/bin/python
seconds:
  description: How long it ran.
  returned: when it was run
  type: float
  sample: 3.4
rc:
  description: Its exit code, negative for a signal; null when it was ended after O(timeout).
  returned: when it was run
  type: int
  sample: 0
log:
  description: The last lines that it wrote to standard error.
  returned: when it was run
  type: list
  elements: str
  sample: ["Registered version 3 of model mlinfra-proof"]
"""

import json
import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.job import process, report
from ansible_collections.mlinfra.hosts.plugins.module_utils.job.report import JobError

ARGUMENTS = {
    "interpreter": {"type": "path", "required": True},
    "script": {"type": "str", "required": True},
    "modules": {"type": "dict", "default": {}},
    "input": {"type": "dict", "default": {}},
    "user": {"type": "str"},
    "environment": {"type": "dict", "default": {}},
    # the paths are no secret
    "secret_files": {"type": "list", "elements": "path", "default": [], "no_log": False},
    "timeout": {"type": "int", "default": 300},
}
LOG_LINES = 40
MODULE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\.py$")


def files_of(params):
    """{name: text} of the script's folder. Raises JobError for a module that could not be imported from it."""
    for name in params["modules"]:
        if not MODULE_NAME.match(name) or name == process.SCRIPT:
            raise JobError("modules has %r: expected a file name as client.py, other than %s." % (name, process.SCRIPT))
    return dict(params["modules"], **{process.SCRIPT: params["script"]})


def secrets_of(paths):
    """Values of the files of secrets, longest first. Raises JobError for a file that cannot be read."""
    found = set()
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found.update(report.secrets_in(file.read()))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise JobError("secret_files: %s cannot be read: %s. Run this task with become." % (path, error.strerror or error)) from None
    return sorted(found, key=len, reverse=True)


def judge(ended, timeout):
    """The result of a script that ended well. Raises JobError for any other."""
    told = report.last_words(ended.errors or ended.output)
    lines = " Its last lines:\n%s" % "\n".join(told) if told else " It wrote nothing to standard error."
    if ended.code is None:
        raise JobError("it still ran after %d s and was ended. Give it more timeout, or see what it waits for.%s" % (timeout, lines))
    if ended.code:
        raise JobError("it ended with %s after %.1f s.%s" % (report.ending(ended.code), ended.seconds, lines))
    return report.result_of(ended.output)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        who = params["user"] or "the user of this task"
        module.exit_json(changed=True, ran=False, msg="check mode: the script was not run (%s, as %s)" % (params["interpreter"], who))
    secrets, seen = [], {"ran": False}
    try:
        if params["timeout"] < 1:
            raise JobError("timeout is %d: expected 1 or more seconds." % params["timeout"])
        entry = process.account(params["user"])
        secrets = secrets_of(params["secret_files"])
        given = json.dumps(params["input"]).encode()
        ended = process.run(params["interpreter"], files_of(params), given, entry, params["environment"], params["timeout"])
        log = [line for line in ended.errors.splitlines() if line.strip()][-LOG_LINES:]
        seen = {"ran": True, "rc": ended.code, "seconds": round(ended.seconds, 3), "log": report.masked(log, secrets)}
        seen["interpreter"] = params["interpreter"]
        result = judge(ended, params["timeout"])
    except JobError as error:
        module.fail_json(msg=report.masked("The script failed: %s" % error, secrets), **seen)
    module.exit_json(changed=True, result=report.masked(result, secrets), **seen)


if __name__ == "__main__":
    main()
