# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that dies the moment AWS has answered a certain call: ``python killed_script.py URL ec2 RunInstances [NTH] < declaration.json``.

The process ends without any clean-up, as by SIGKILL or a power cut: the request took effect, and nothing after it happened.
"""

from __future__ import annotations

import json
import os
import sys

import ansible_collections.mlinfra.hosts.plugins.module_utils.stack.engine as engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse

DIED = 9


def main() -> None:
    url, service, operation, *nth = sys.argv[1:]
    left = [int(nth[0]) if nth else 1]
    stack, control = parse(json.load(sys.stdin), False)
    clients = Clients("us-east-1", endpoint_url=url, aws_access_key_id="AKIASANDBOXFAKEKEY00", aws_secret_access_key="fake")

    def answered(**_unused) -> None:
        left[0] -= 1
        if not left[0]:
            os._exit(DIED)

    clients.get(service).meta.events.register(f"after-call.{service}.{operation}", answered)
    engine.reconcile(stack, control, clients)


if __name__ == "__main__":
    main()
