#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: aws_stack_info
version_added: 0.1.0
short_description: Read what exists of a stack in AWS
description:
  - Finds the resources that carry a stack's tags, and says which of them the stack owns.
author:
  - mlinfra.hosts contributors (@mlinfra)
options: {}
extends_documentation_fragment:
  - mlinfra.hosts.scope
  - mlinfra.hosts.attributes.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: mlinfra.hosts.aws_stack
"""

EXAMPLES = r"""
- name: Read the stack
  mlinfra.hosts.aws_stack_info:
    name: vision
    environment: dev
    account_id: "123456789012"
    region: us-east-1
  register: vision

- name: Show where its data goes
  ansible.builtin.debug:
    var: vision.outputs.buckets.data
"""

RETURN = r"""
exists:
  description: Whether anything of the stack exists.
  returned: success
  type: bool
  sample: true
resources:
  description: What carries the stack's tags.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of resource.
      type: str
      sample: bucket
    name:
      description: Name in the declaration.
      type: str
      sample: data
    id:
      description: Id or physical name.
      type: str
      sample: vision-dev-data-123456789012
    owned:
      description: Whether tags and provenance both say that this stack made it. What is not owned is never changed.
      type: bool
      sample: true
outputs:
  description: Names and ids, as M(mlinfra.hosts.aws_stack) returns them.
  returned: success
  type: dict
  sample: {vpc_id: vpc-0a1b2c3d, buckets: {data: vision-dev-data-123456789012}}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import SCOPE
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse_scope
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.entry import fail_cleanly, wished


def main() -> None:
    module = AnsibleAWSModule(argument_spec=SCOPE, supports_check_mode=True)
    with fail_cleanly(module):
        scope = parse_scope(wished(module, SCOPE))
        module.exit_json(changed=False, **engine.read(scope, Clients.of(module)))


if __name__ == "__main__":
    main()
