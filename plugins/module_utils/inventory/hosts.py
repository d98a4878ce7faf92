# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""From instance records (see page.py) to hosts: name, variables, groups, way in. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.ssh import Hop, SshOptions, common_args, parse_hop, refusing_args

TAG = "mlinfra:"
# Bastions known by an address of their own need no instance; everything else is looked up among these states.
RUNNING = "running"


class Wish(NamedTuple):
    """How the user wants hosts named and reached."""

    address: str = "auto"  # auto | private | public
    short_names: bool = False  # <pool>-<slot> instead of <stack>-<environment>-<pool>-<slot>
    ssh: SshOptions = SshOptions()


class Host(NamedTuple):
    name: str
    variables: dict
    groups: tuple[str, ...]


def hosts_of(records: Iterable[Mapping], wish: Wish) -> tuple[list[Host], list[str]]:
    """Hosts in the order of stack, environment, pool and slot, and what the user should be warned of."""
    instances = sorted((_Instance(record) for record in records), key=lambda instance: instance.order)
    names, warnings = _names(instances, wish.short_names)
    bastions = _bastions(instances)
    hosts = [Host(name, _variables(instance, wish, bastions), _groups(instance)) for name, instance in zip(names, instances)]
    return hosts, warnings


def slot_at(slots: str, index: int) -> Optional[int]:
    """The ``index``-th slot of ranges like ``0-2,5``; None when they have no such slot or cannot be read."""
    for part in slots.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            return None
        size = int(last or first) - int(first) + 1
        if index < size:
            return int(first) + index
        index -= size
    return None


class _Instance:
    """A record with its tags taken apart."""

    def __init__(self, record: Mapping) -> None:
        self.record = record
        tags = record["tags"]
        self.stack = tags.get(TAG + "stack", "")
        self.environment = tags.get(TAG + "environment", "")
        self.pool = tags.get(TAG + "pool", "")
        own = tags.get(TAG + "slot", "")  # before the place in the launch: launched by a fleet, or adopted
        self.slot = int(own) if own.isdecimal() else slot_at(tags.get(TAG + "slots", ""), record["launch_index"])
        self.access = tags.get(TAG + "access") or "direct"
        self.bastion = tags.get(TAG + "bastion", "")
        self.user = tags.get(TAG + "ssh-user") or None
        self.own_tags = {key: value for key, value in tags.items() if not key.startswith((TAG, "aws:"))}
        self.gpu = GPU_TYPES.get(record["type"])
        # an instance whose slot is unknown comes last in its pool; of two in one slot the newer comes first
        place = (self.slot is None, self.slot or 0, _backwards(record["launched"]))
        self.order = (self.stack, self.environment, self.pool, *place, record["id"])

    def address(self, kind: str) -> Optional[str]:
        private, public = self.record["private_ip"], self.record["public_ip"]
        if kind == "private" or (kind == "auto" and self.access == "bastion"):
            return private
        return public if kind == "public" else public or private


def _backwards(text: Optional[str]) -> tuple[int, ...]:
    """Sorts later times first."""
    return tuple(-ord(character) for character in text or "")


def _names(instances: list[_Instance], short: bool) -> tuple[list[str], list[str]]:
    names: list[str] = []
    warnings: list[str] = []
    taken: dict[str, str] = {}
    for instance in instances:
        instance_id = instance.record["id"]
        parts = [instance.pool, str(instance.slot)] if short else [instance.stack, instance.environment, instance.pool, str(instance.slot)]
        name = "-".join(parts) if instance.pool and instance.slot is not None else instance_id
        if name in taken:
            warnings.append(
                f"{taken[name]} and {instance_id} both say that they are {name}: the newer one keeps the name, the other is listed as "
                f"{name}-{instance_id}. Terminate the one that should not be there."
            )
            name = f"{name}-{instance_id}"
        taken[name] = instance_id
        names.append(name)
    return names, warnings


def _bastions(instances: list[_Instance]) -> dict[tuple[str, str, str], _Instance]:
    """The first running instance of each pool, by stack, environment and pool."""
    found: dict[tuple[str, str, str], _Instance] = {}
    for instance in instances:
        if instance.record["state"] == RUNNING:
            found.setdefault((instance.stack, instance.environment, instance.pool), instance)
    return found


def _variables(instance: _Instance, wish: Wish, bastions: Mapping) -> dict:
    record, gpu = instance.record, instance.gpu
    variables = {
        "mlinfra_stack": instance.stack,
        "mlinfra_environment": instance.environment,
        "mlinfra_pool": instance.pool,
        "mlinfra_slot": instance.slot,
        "mlinfra_instance_id": record["id"],
        "mlinfra_state": record["state"],
        "mlinfra_region": record["region"],
        "mlinfra_zone": record["zone"],
        "mlinfra_instance_type": record["type"],
        "mlinfra_image_id": record["image"],
        "mlinfra_market": _market(record),
        "mlinfra_private_ip": record["private_ip"],
        "mlinfra_public_ip": record["public_ip"],
        "mlinfra_access": instance.access,
        "mlinfra_gpu_model": gpu.model if gpu else None,
        "mlinfra_gpu_count": gpu.count if gpu else 0,
        "mlinfra_gpu_memory_mib": gpu.memory_mib if gpu else 0,
        "mlinfra_gpu_compute_capability": gpu.compute_capability if gpu else None,
        "mlinfra_tags": instance.own_tags,
    }
    variables.update(_connection(instance, wish, bastions))
    return variables


def _market(record: Mapping) -> str:
    if record["lifecycle"]:
        return record["lifecycle"].replace("-", "_")  # spot, capacity_block, scheduled
    return "reservation" if record["reservation"] else "on_demand"


def _connection(instance: _Instance, wish: Wish, bastions: Mapping) -> dict:
    instance_id = instance.record["id"]
    address = instance.address(wish.address)
    # A connection that ssh keeps open belongs to one instance, also when the next one gets the same address.
    # (eight digits: a socket's path may have 108 characters, folder included)
    variables = {"ansible_host": address or instance_id, "ansible_control_path": f"%(directory)s/{instance_id[-8:]}-%%r"}
    if instance.user:
        variables["ansible_user"] = instance.user
    if wish.ssh.private_key_file:
        variables["ansible_ssh_private_key_file"] = wish.ssh.private_key_file
    hop, problem = None, None
    if not address:
        state = instance.record["state"]
        problem = f"{instance_id} is {state} and has no {wish.address} address: start it, or choose another address in the inventory"
    elif instance.access == "bastion":
        hop, problem = _way_in(instance, wish, bastions)
    variables["mlinfra_bastion"] = str(hop) if hop else None
    if problem:
        variables["mlinfra_access_problem"] = problem
        variables["ansible_ssh_common_args"] = refusing_args(problem)
        variables["ansible_ssh_args"] = "-C"  # with ControlPersist, ssh throws away what the refusal says
    else:
        variables["ansible_ssh_common_args"] = common_args(instance_id, wish.ssh, hop)
    return variables


def _way_in(instance: _Instance, wish: Wish, bastions: Mapping) -> tuple[Optional[Hop], Optional[str]]:
    """The bastion of an instance, or why there is none."""
    where, who = f"{instance.stack}-{instance.environment}", instance.record["id"]
    if "@" in instance.bastion or "." in instance.bastion or ":" in instance.bastion:
        try:
            return parse_hop(instance.bastion), None
        except ValueError as error:
            return None, f"tag mlinfra:bastion of {who}: {error}; correct network.access of the stack {where} and run provision"
    if not instance.bastion:
        return None, f"{who} is reached through a bastion, but has no tag mlinfra:bastion: run provision for {where}"
    bastion = bastions.get((instance.stack, instance.environment, instance.bastion))
    if bastion is None:
        pool = f"pool {instance.bastion} of {where}, the bastion of {who},"
        return None, f"{pool} has no running instance: start it, or run provision if it is gone"
    if bastion is instance:
        return None, f"{who} is its own bastion: set network.access of {where} to another pool and run provision"
    address = bastion.address(wish.address)
    if not address:
        return None, f"bastion {bastion.record['id']} of {where} has no {wish.address} address: choose another address in the inventory"
    return Hop(address, bastion.user, None, bastion.record["id"]), None


# The group's prefix and its priority: group_vars of a more specific group win over those of a wider one.
GROUP_PRIORITY = {
    "mlinfra_stack_": 2,
    "mlinfra_environment_": 3,
    "mlinfra_region_": 4,
    "mlinfra_zone_": 5,
    "mlinfra_access_": 6,
    "mlinfra_gpu_hosts": 7,
    "mlinfra_cpu_hosts": 7,
    "mlinfra_gpu_": 8,
    "mlinfra_type_": 9,
    "mlinfra_pool_": 10,
}


def group_priority(group: str) -> int:
    return next(priority for prefix, priority in GROUP_PRIORITY.items() if group.startswith(prefix))


def _groups(instance: _Instance) -> tuple[str, ...]:
    record = instance.record
    named = {
        "mlinfra_stack_": instance.stack,
        "mlinfra_environment_": instance.environment,
        "mlinfra_region_": record["region"],
        "mlinfra_zone_": record["zone"],
        "mlinfra_access_": instance.access,
        "mlinfra_gpu_": instance.gpu.model if instance.gpu else "",
        "mlinfra_type_": record["type"],
        "mlinfra_pool_": instance.pool,
    }
    groups = [prefix + _safe(value) for prefix, value in named.items() if value]
    return ("mlinfra_gpu_hosts" if instance.gpu else "mlinfra_cpu_hosts", *groups)


def _safe(name: str) -> str:
    """Group names are identifiers, as Ansible wants them."""
    return "".join(character if character.isalnum() and character.isascii() else "_" for character in name)
