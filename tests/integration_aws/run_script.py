# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in a process of its own: ``python run_script.py URL [LEASE]``; declaration on stdin's first line, and it begins at the second.

Says ``ready`` before it begins, and at its end one line of JSON: {"changed": …} or {"error": …}. LEASE are seconds that a lock lasts.
"""

from __future__ import annotations

import json
import sys

import ansible_collections.mlinfra.hosts.plugins.module_utils.stack.engine as engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import lock, renewal
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse


def main() -> None:
    url, *lease = sys.argv[1:]
    stack, control = parse(json.loads(sys.stdin.readline()), False)
    clients = Clients("us-east-1", endpoint_url=url, aws_access_key_id="AKIASANDBOXFAKEKEY00", aws_secret_access_key="fake")
    clients.prepare(["sts", "ec2", "s3", "iam", "ecr", "ssm"])
    if lease:
        lock.LEASE = renewal.LEASE = float(lease[0])
        renewal.EVERY, renewal.GUARD = float(lease[0]) / 8, float(lease[0]) / 4
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        told = {"changed": engine.reconcile(stack, control, clients)["changed"]}
    except StackError as error:
        told = {"error": error.message}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
