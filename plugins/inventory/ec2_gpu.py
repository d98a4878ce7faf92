# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of stacks made by mlinfra.hosts.aws_stack, read from EC2."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ec2_gpu
short_description: The instances of stacks as hosts, with pool, GPU and way in
version_added: 0.1.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Lists the EC2 instances that M(mlinfra.hosts.aws_stack) made, by their C(mlinfra:) tags.
  - The name of the inventory file must end in C(ec2_gpu.yml) or C(ec2_gpu.yaml).
  - Hosts are called C(POOL-SLOT) when both O(stack) and O(environment) are given, else C(STACK-ENVIRONMENT-POOL-SLOT).
  - The group C(mlinfra_hosts) is always there, with or without hosts. Below it are groups by pool, environment, stack, region, zone,
    instance type, GPU model and access, C(mlinfra_gpu_hosts) and C(mlinfra_cpu_hosts). Variables of a more specific group
    win over those of a wider one, in the order of stack, environment, region, zone, access, GPU or CPU, GPU model, type, pool.
  - A host behind a bastion is reached through it with the same key and the same file of known hosts. When its bastion is not running,
    the host is listed nevertheless, ssh to it ends at once with the reason, and C(mlinfra_access_problem) holds that reason.
  - Host keys are kept under the instance id, so that a new instance at an old address is not mistaken for a changed host.
  - A connection that is silent for long, as during the build of a driver, is kept alive (C(ServerAliveInterval=30)); what
    C(ansible_ssh_args) says of it counts.
requirements:
  - botocore
options:
  plugin:
    description: Tells Ansible that the file is for this plugin.
    type: str
    required: true
    choices: [mlinfra.hosts.ec2_gpu]
  regions:
    description:
      - Regions to list. Without it, the region of the AWS profile.
    type: list
    elements: str
    default: []
    env:
      - name: AWS_DEFAULT_REGION
      - name: AWS_REGION
  stack:
    description: List only hosts of this stack.
    type: str
  environment:
    description: List only hosts of this environment.
    type: str
  states:
    description:
      - List only instances in these states.
    type: list
    elements: str
    choices: [pending, running, stopping, stopped, shutting-down, terminated]
    default: [running]
  address:
    description:
      - Which address Ansible connects to.
      - V(auto) is the private one for a host behind a bastion, else the public one where there is one, else the private one.
    type: str
    choices: [auto, private, public]
    default: auto
  private_key_file:
    description:
      - Private ssh key for the hosts and for the way through their bastion. Without it, ssh's own configuration and agent.
      - A relative path starts at the folder of the inventory file.
    type: str
    env:
      - name: MLINFRA_SSH_KEY
  known_hosts_file:
    description:
      - Where ssh keeps the host keys. Without it, ssh's own default.
      - A relative path starts at the folder of the inventory file.
    type: str
    env:
      - name: MLINFRA_KNOWN_HOSTS
notes:
  - The options for connection, credentials and filters may be templates with lookups, for example C({{ lookup('env', 'HOME') }}/.ssh/ml).
  - The credentials need C(ec2:DescribeInstances) and nothing else.
  - Only text of the C(mlinfra:) tags is believed for how to connect. Whoever may tag instances in the account can change it.
extends_documentation_fragment:
  - amazon.aws.common.plugins
  - amazon.aws.assume_role.plugins
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# All that one environment has. File inventories/dev/ec2_gpu.yml
plugin: mlinfra.hosts.ec2_gpu
stack: vision
environment: dev

---
# Every stack of an account in two regions, with a role, read at most every ten minutes
plugin: mlinfra.hosts.ec2_gpu
regions: [us-east-1, eu-west-1]
profile: ml-readonly
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/mlinfra-inventory
cache_timeout: 600

---
# Groups and variables of your own
plugin: mlinfra.hosts.ec2_gpu
stack: vision
environment: prod
private_key_file: ~/.ssh/vision-prod
keyed_groups:
  - key: mlinfra_tags.team
    prefix: team
groups:
  big: mlinfra_gpu_count >= 8
compose:
  gpu_memory_total_mib: mlinfra_gpu_count * mlinfra_gpu_memory_mib
"""

import hashlib
import json
import os
from typing import Any, Optional

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.client import Connection, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.hosts import TAG, Host, Wish, group_priority, hosts_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.ssh import SshOptions

ROOT = "mlinfra_hosts"
_KEYS = ("access_key", "secret_key", "session_token")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "mlinfra.hosts.ec2_gpu"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("ec2_gpu.yml", "ec2_gpu.yaml"))

    def parse(self, inventory, loader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.templar.available_variables = self._vars
        self._folder = os.path.dirname(path)
        hosts, warnings = hosts_of(self._records(path, cache), self._wish())
        for warning in warnings:
            self.display.warning(warning)
        self._add_root()
        self._add(hosts)

    # What is asked

    def _text(self, option: str) -> Optional[str]:
        return self.templar.template(self.get_option(option)) or None

    def _connection(self) -> Connection:
        texts = {option: self._text(option) for option in ("profile", "endpoint_url", "assume_role_arn", *_KEYS)}
        if texts["profile"] and texts["access_key"]:
            # as botocore has it: a profile named by the file wins over keys in the environment, those win over AWS_PROFILE
            written = [option for option in ("profile", "access_key") if self.get_option_and_origin(option)[1] == "Direct"]
            if len(written) == 2:
                raise AnsibleParserError("profile and access_key are both in the inventory file: keep one of them.")
            unused = _KEYS if written == ["profile"] else ("profile",)
            texts.update(dict.fromkeys(unused))
        return Connection(**texts)

    def _filters(self) -> dict[str, list[str]]:
        filters = {f"tag:{TAG}kind": ["instance"], "instance-state-name": list(self.get_option("states"))}
        for option in ("stack", "environment"):
            if self._text(option):
                filters[f"tag:{TAG}{option}"] = [self._text(option)]
        return filters

    def _regions(self) -> list[str]:
        return [region for region in self.templar.template(self.get_option("regions")) if region]

    def _wish(self) -> Wish:
        return Wish(
            address=self.get_option("address"),
            short_names=bool(self._text("stack") and self._text("environment")),
            ssh=SshOptions(self._path("known_hosts_file"), self._path("private_key_file")),
        )

    def _path(self, option: str) -> Optional[str]:
        path = self._text(option)
        return os.path.join(self._folder, os.path.expanduser(os.path.expandvars(path))) if path else None

    # What is answered, from EC2 or the cache

    def _records(self, path: str, cache: bool) -> list[dict]:
        keeps = self.get_option("cache")
        key = self.get_cache_key(path)
        if keeps and cache:
            try:
                return self._cache[key]
            except KeyError:  # not there, or too old
                pass
        try:
            records = read_instances(self._connection(), self._regions(), self._filters())
        except StackError as error:
            raise AnsibleParserError(str(error)) from None  # its cause says nothing more
        if keeps:
            self._cache[key] = records
        return records

    def _get_cache_prefix(self, path: str) -> str:
        """Other questions, accounts or endpoints have another place in the cache."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_EC2") or os.environ.get("AWS_ENDPOINT_URL")
        question = json.dumps([path, self._connection(), self._regions(), self._filters(), endpoint], sort_keys=True)
        return "k" + hashlib.sha256(question.encode()).hexdigest()[:16]

    # What Ansible gets

    def _add_root(self) -> None:
        self.inventory.add_group(ROOT)
        # the lowest precedence there is: any group_vars or host_vars win
        self.inventory.set_variable(ROOT, "ansible_python_interpreter", trust_as_template("auto_silent"))

    def _add(self, hosts: list[Host]) -> None:
        for group in sorted({group for host in hosts for group in host.groups}, key=lambda group: (group_priority(group), group)):
            self.inventory.add_group(group)
            self.inventory.groups[group].set_priority(group_priority(group))
            self.inventory.add_child(ROOT, group)
        constructed = {option: self.get_option(option) for option in ("compose", "groups", "keyed_groups")}
        for host in hosts:
            self.inventory.add_host(host.name)
            added = self.inventory.hosts[host.name]
            # set_variable would check each name, and mark each value as coming from the file
            added.vars.update((name, _plain(value)) for name, value in host.variables.items())
            for group in host.groups:
                self.inventory.groups[group].add_host(added)
            if any(constructed.values()):
                self._construct(host, constructed)

    def _construct(self, host: Host, constructed: dict[str, Any]) -> None:
        variables, strict = self.inventory.hosts[host.name].get_vars(), self.get_option("strict")
        self._set_composite_vars(constructed["compose"], variables, host.name, strict)
        variables = self.inventory.hosts[host.name].get_vars()
        self._add_host_to_composed_groups(constructed["groups"], variables, host.name, strict, fetch_hostvars=False)
        self._add_host_to_keyed_groups(constructed["keyed_groups"], variables, host.name, strict, fetch_hostvars=False)

    def _compose(self, template: str, variables: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """A plain name needs no template engine, which takes most of a millisecond for each host."""
        if template in variables and not self.get_option("use_extra_vars"):
            return variables[template]
        return super()._compose(template, variables, *args, **kwargs)


def _plain(value: Any) -> Any:
    """Text in which no template can hide is marked as harmless, or `ansible-inventory --list` would wrap each one as unsafe."""
    if isinstance(value, str):
        return value if "{" in value else trust_as_template(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value
