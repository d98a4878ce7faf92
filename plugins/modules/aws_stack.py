#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: aws_stack
version_added: 0.1.0
short_description: Make AWS hold what a stack declares
description:
  - Compares the declaration of a stack (network, buckets, container repositories, instance role and pools of GPU hosts) with what
    the account holds, plans the difference and applies it, in one run and in the order of dependencies.
  - In check mode the plan is complete, on an empty account too.
  - A section that is not given is not managed; it is neither read nor removed.
  - Only what the stack made itself is ever changed. What O(network.existing) and the O(ignore:existing) options name is read and checked.
  - Files that options name are read on the controller, and all mistakes of a declaration are reported at once, before any call.
author:
  - mlinfra.hosts contributors (@mlinfra)
options:
  tags:
    description:
      - Tags for everything that the stack makes, set when it is made.
      - Keys must not begin with C(aws:) or C(mlinfra:), nor be C(Name).
    type: dict
  permissions_boundary:
    description: ARN of the managed policy that bounds the role which the stack makes.
    type: str
  iam_path:
    description: IAM path of the role and instance profile. Left out, it is C(/mlinfra/<name>/<environment>/).
    type: str
  key:
    description: The EC2 key pair of the hosts.
    type: dict
    suboptions:
      name:
        description: Name of the key pair. Left out, it is C(<name>-<environment>).
        type: str
      public_key:
        description: The public key, in OpenSSH's form, Ed25519 or RSA.
        type: str
      public_key_file:
        description: File on the controller with the public key, found like any file of the play.
        type: path
      existing:
        description: Whether the key pair exists already, and is only referred to.
        type: bool
        default: false
  identity:
    description: What the hosts may do, as an instance role. Names are names of O(buckets) and O(repositories) here.
    type: dict
    suboptions:
      existing_instance_profile:
        description: Name of an instance profile that exists already, instead of all else here.
        type: str
      read:
        description: Buckets that hosts may read.
        type: list
        elements: str
      write:
        description: Buckets that hosts may read and write.
        type: list
        elements: str
      pull:
        description: Repositories that hosts may pull from.
        type: list
        elements: str
      push:
        description: Repositories that hosts may pull from and push to.
        type: list
        elements: str
      managed_policies:
        description: ARNs of further managed policies.
        type: list
        elements: str
  state:
    description: V(absent) removes all that the stack owns, and wants O(confirm).
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description: C(<name>-<environment>) of the stack to remove with O(state=absent). In check mode it may be left out.
    type: str
  force:
    description: Names of buckets and repositories to remove although they are not empty, of pools and hosts although they are protected.
    type: list
    elements: str
  prune:
    description: Whether what the stack owns and a given section no longer declares is removed. O(max_delete) bounds it.
    type: bool
    default: false
  max_delete:
    description: How many deletions and replacements a run with O(state=present) may make. A plan with more fails.
    type: int
    default: 0
  expect_plan:
    description: RV(plan_id) of an approved plan. If the plan is another by now, nothing is done.
    type: str
  lock_timeout:
    description: Seconds to wait while another run holds the stack's lock.
    type: int
    default: 0
  break_lock:
    description: Whether to take the lock from a run that holds it. Only for runs that are known to be dead.
    type: bool
    default: false
  on_failure:
    description:
      - V(keep) leaves what was made, so that another run goes on from there.
      - V(rollback) removes what this run added. An instance that replaces one of the stack stays, and so does what it may need, as its
        slot would be empty without it; so does what is protected. What stays is in the failure's C(rollback_kept) and C(rollback_left).
    type: str
    choices: [keep, rollback]
    default: keep
  wait_timeout:
    description: Seconds that instances may take until they run.
    type: int
    default: 600
extends_documentation_fragment:
  - mlinfra.hosts.scope
  - mlinfra.hosts.stack_network
  - mlinfra.hosts.stack_storage
  - mlinfra.hosts.stack_pools
  - mlinfra.hosts.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mlinfra.hosts.aws_stack_info
"""

EXAMPLES = r"""
- name: Declare a stack with two GPU hosts
  mlinfra.hosts.aws_stack:
    name: vision
    environment: dev
    account_id: "123456789012"
    region: us-east-1
    tags:
      cost-center: ml
    network:
      cidr: 10.42.0.0/16
      zone_count: 2
      access:
        cidrs: [203.0.113.7/32]
    key:
      public_key_file: ~/.ssh/id_ed25519.pub
    buckets:
      - name: data
        versioning: true
        lifecycle:
          - prefix: tmp/
            expire_days: 7
    repositories:
      - name: train
        keep_last: 20
    identity:
      read: [data]
      pull: [train]
    pools:
      - name: train
        count: 2
        gpu:
          models: [a10g]
          count: 4
        image:
          ssm: /aws/service/debian/release/12/latest/amd64

- name: Add a pool to a network that Terraform owns
  mlinfra.hosts.aws_stack:
    name: vision
    environment: dev
    account_id: "123456789012"
    region: us-east-1
    network:
      existing:
        vpc: {tags: {Name: shared}}
        subnets: {tags: {tier: private}}
        security_groups: {ids: [sg-0123456789abcdef0]}
    key:
      name: ops
      existing: true
    pools:
      - name: train
        instance_types: [g5.xlarge, g6.xlarge]
        image:
          ssm: /aws/service/debian/release/12/latest/amd64

- name: Remove the stack and the objects in its bucket
  mlinfra.hosts.aws_stack:
    name: vision
    environment: dev
    account_id: "123456789012"
    region: us-east-1
    state: absent
    confirm: vision-dev
    force: [data]
"""

RETURN = r"""
plan:
  description: What differs and what is done about it, in the order of doing it.
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
    action:
      description:
        - One of V(create), V(adopt), V(update), V(replace), V(delete), V(keep), V(foreign) and V(blocked).
        - V(pending) is an instance that is declared and not made now, for want of capacity in a pool that has its O(pools[].min), because
          its lease is over, or because its pool is to be stopped.
      type: str
      sample: create
    reason:
      description: Why.
      type: str
      sample: does not exist
    before:
      description: What is there, or null.
      type: dict
      sample: null
    after:
      description: What is wished, or null.
      type: dict
      sample: {versioning: true}
    id:
      description: Id or physical name of what is there, or null.
      type: str
      sample: null
plan_id:
  description: Identifies the plan, for O(expect_plan). The same plan has the same id in check mode and outside it.
  returned: success
  type: str
  sample: 3f6c1d0a9b7e4c55
outputs:
  description: Names and ids. Names are known in check mode too; ids of what does not exist yet are null.
  returned: success
  type: dict
  contains:
    vpc_id:
      description: The VPC.
      type: str
      sample: vpc-0a1b2c3d
    subnets:
      description: The subnets for hosts.
      type: raw
      sample: {}
    security_group_id:
      description: The security group of the hosts.
      type: str
      sample: sg-0a1b2c3d
    buckets:
      description: Physical names by names in the declaration.
      type: dict
      sample: {data: vision-dev-data-123456789012}
    repositories:
      description: URIs by names in the declaration.
      type: dict
      sample: {train: 123456789012.dkr.ecr.us-east-1.amazonaws.com/vision-dev/train}
    role:
      description: Name of the hosts' role.
      type: str
      sample: vision-dev-hosts
    instance_profile:
      description: Name of the hosts' instance profile.
      type: str
      sample: vision-dev-hosts
    key_name:
      description: Name of the key pair.
      type: str
      sample: vision-dev
    pools:
      description: Instances and their private addresses, by pool.
      type: dict
      sample: {train: {instance_ids: [i-0a1b2c3d], private_ips: [10.42.0.10]}}
offers:
  description:
    - The offers of each pool that launches something, in the order in which they are tried. They are no part of RV(plan_id), since
      prices and reservations change by the hour.
  returned: success
  type: dict
  sample:
    train:
      - {instance_type: g5.xlarge, zone: us-east-1a, market: on_demand, usd_per_hour: 1.006, reservation: null, available: null, ends: null}
offers_tried:
  description:
    - Each offer that was tried, in the order of the answers, with EC2's error code, or the reason for which an accepted instance ended
      before it ran. The code is null for an offer that was taken. Failures return it too.
  returned: success
  type: list
  elements: dict
  sample:
    - instance_type: g5.xlarge
      zone: us-east-1a
      market: on_demand
      reservation: null
      usd_per_hour: 1.006
      code: InsufficientInstanceCapacity
      message: There is no capacity.
      request_id: 4a1e5b0e-8f1c-4b8e-9d4f-1f0f2f7a7c11
preflight:
  description:
    - What stands in the way of the pools that launch something. C(verdict) is V(ok), V(unknown) (it could not be read), V(warning)
      or V(refused). A plan with the last one fails before anything is written, and its failure returns all findings too.
    - C(check) is V(vcpu_quota), V(storage_quota), V(addresses), V(spot_role), V(kms_key), V(spot_key_grant), V(efa) or V(way_out).
  returned: success, and when a pool cannot be had
  type: list
  elements: dict
  sample:
    - {check: vcpu_quota, pool: train, path: pools.train, verdict: ok, needed: 8, used: 32, allowed: 128, code: L-DB2E81BA, text: ""}
summary:
  description: Number of changes by action.
  returned: success
  type: dict
  sample: {create: 14, keep: 2}
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
remaining:
  description: What the stack owns and could not be removed.
  returned: with O(state=absent)
  type: list
  elements: dict
  sample: []
rollback:
  description: V(complete), V(incomplete) or why it failed. C(rolled_back), C(rollback_kept) and C(rollback_left) say what went and stays.
  returned: when a run fails with O(on_failure=rollback)
  type: str
  sample: complete
problems:
  description: All that is wrong with the declaration.
  returned: when the declaration cannot be used
  type: list
  elements: dict
  contains:
    path:
      description: Where it is.
      type: str
      sample: pools[0].gpu.count
    value:
      description: What is there.
      type: str
      sample: "3"
    expected:
      description: What is possible there.
      type: str
      sample: "no EC2 type offers 3 H100 (offered: 1, 8)"
    hint:
      description: What to do next.
      type: str
      sample: Use one of those
"""

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.advice import advice
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import ARGUMENTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.engine import reconcile
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.entry import fail_cleanly, wished


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with fail_cleanly(module):
        stack, control = parse(wished(module, ARGUMENTS), module.check_mode)
        result = reconcile(stack, control, Clients.of(module))
        for sentence in advice(stack, control) + result.pop("warnings"):
            warn(sentence)  # through the module's own warn() amazon.aws hands them to exit_json, which core calls deprecated
        module.exit_json(**result)


if __name__ == "__main__":
    main()
