#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ec2_gpu_reap
version_added: 0.4.0
short_description: Terminate instances whose leases are over
description:
  - Looks for instances with a tag C(mlinfra:expires) in one region of an account, and terminates those whose moment has passed.
  - Only what stacks of this collection launched is ever terminated, told by the token of the launch, which nobody can put on later.
    Whatever else has such tags stays, and is listed with the reason. So do instances that a stack adopted, and those with termination
    protection.
  - Needs neither a declaration, nor an inventory, nor a way to the hosts. It is the net below what hosts and schedules do themselves, and
    meant to run on a schedule.
author:
  - mlinfra.hosts contributors (@mlinfra)
options:
  account_id:
    description: The account, 12 digits. With credentials of another one nothing is done.
    type: str
    required: true
  name:
    description: Only instances of stacks of this name. Left out, of all.
    type: str
  environment:
    description: Only instances of stacks of this environment. Left out, of all.
    type: str
extends_documentation_fragment:
  - mlinfra.hosts.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mlinfra.hosts.aws_stack
"""

EXAMPLES = r"""
- name: End what should have ended
  mlinfra.hosts.ec2_gpu_reap:
    account_id: "123456789012"
    region: us-east-1

- name: Only of one stack
  mlinfra.hosts.ec2_gpu_reap:
    account_id: "123456789012"
    region: us-east-1
    name: vision
    environment: dev
"""

RETURN = r"""
reaped:
  description: What was terminated; in check mode, what would be.
  returned: success
  type: list
  elements: dict
  sample:
    - instance_id: i-0a1b2c3d
      stack: vision
      environment: dev
      name: vision-dev-train
      status: running
      expires: "2026-11-29T23:44:00Z"
left:
  description: What has an end and stays, each with its RV(left[].reason).
  returned: success
  type: list
  elements: dict
  contains:
    reason:
      description: Why it stays.
      type: str
      sample: its lease is not over
  sample:
    - instance_id: i-0a1b2c3e
      stack: vision
      environment: dev
      name: vision-dev-train
      status: running
      expires: "2026-12-01T10:00:00Z"
      reason: its lease is not over
account_id:
  description: The account of the credentials.
  returned: success
  type: str
  sample: "123456789012"
region:
  description: The region in use.
  returned: success
  type: str
  sample: us-east-1
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import reap
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.account import identify
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.entry import fail_cleanly
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

ARGUMENTS = {
    "account_id": {"type": "str", "required": True},
    "name": {"type": "str"},
    "environment": {"type": "str"},
}


def scope_of(params, region):
    """Where to look. Raises DocumentError. What is left out, or empty as a survey leaves it, means all."""
    problems = Problems()
    if not checks.is_account(params["account_id"]):
        problems.add("account_id", params["account_id"], "an account id has 12 digits", 'Quote it, leading zeros too: "012345678901"')
    checks.name(params["name"] or None, "name", problems)
    checks.name(params["environment"] or None, "environment", problems, longest=16)
    problems.stop()
    return Scope(params["account_id"], region, params["name"] or "", params["environment"] or "")


def main():
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with fail_cleanly(module):
        clients = Clients.of(module)
        scope = scope_of(module.params, clients.region)
        caller = identify(clients, scope)
        ec2 = clients.get("ec2")
        found = reap.find(ec2, caller.account_id, clients.region, scope.stack, scope.environment, int(time.time()))
        found = reap.guarded(ec2, found, module.warn)
        due = {one.instance_id for one in found if not one.reason}
        if not module.check_mode:
            found = reap.terminate(ec2, found)
        reaped = [one.public() for one in found if not one.reason]
        left = [one.public() for one in found if one.reason]
        told = {"reaped": reaped, "left": left, "account_id": caller.account_id, "region": clients.region}
        failed = [one for one in left if one["instance_id"] in due]
        if failed:
            first = failed[0]
            said = "%d of %d instances could not be ended: %s: %s" % (len(failed), len(due), first["instance_id"], first["reason"])
            module.fail_json(msg="%s. Grant ec2:TerminateInstances if it was refused, or run again." % said, changed=bool(reaped), **told)
        module.exit_json(changed=bool(reaped), **told)


if __name__ == "__main__":
    main()
