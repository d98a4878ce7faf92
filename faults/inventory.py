# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the emulated account holds besides its seeds, found without the engine: every collection of every backend of moto is walked, so
that a kind of resource that nobody thought of is found too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sandbox.aws.isolation import ACCOUNT

#: Collections of moto that are no resources: bookkeeping, and what AWS keeps of things that are gone.
ASIDE = {
    ("ec2", "tags"),  # read with what they are on; EC2 lists those of ended instances for an hour
    ("ec2", "reservations"),  # read as instances
    ("ec2", "attachments"),
    ("ec2", "amis"),
    ("ec2", "snapshots"),
    ("ec2", "subnet_associations"),  # an association goes with its table or subnet
    ("ec2", "iam_instance_profile_associations"),  # goes with the instance
    ("iam", "managed_policies"),  # AWS' own
    ("iam", "aws_managed_policies"),
}
ENDED = ("terminated", "shutting-down", "deleted", "deleting", "failed", "cancelled", "closed")
#: (kind, id) of what is in an empty account: the default VPC and the like.
SEEDS: set[tuple[str, str]] = set()
NAMES = ("id", "name", "arn", "group_id", "role_id", "key_name", "spot_request_id")


class Thing(NamedTuple):
    """``parent``: the id of what it came with and goes with; ``tags``: EC2's, by id."""

    kind: str
    id: str
    names: frozenset[str]
    parent: str
    tags: dict[str, str]


@dataclass
class Life:
    """An instance that lives (pending, running, stopping or stopped)."""

    id: str
    index: int
    tags: dict[str, str]


def things() -> list[Thing]:
    from moto.core.base_backend import BackendDict

    found = []
    for service in BackendDict._instances:
        for backend in [one for account, regions in service.items() if account == ACCOUNT for one in regions.values()]:
            found += _of(service.service_name, backend)
    return [thing for thing in found if (thing.kind, thing.id) not in SEEDS]


def instances() -> list[Life]:
    return [Life(one.id, int(one.ami_launch_index), _tags(backend, one.id)) for backend, one in _instances() if one.state not in ENDED]


def lock() -> str | None:
    """The value of a lock parameter, of whichever stack."""
    from moto.backends import get_backend

    for backend in get_backend("ssm")[ACCOUNT].values():
        for name in dict.keys(backend._parameters):  # moto's own keys() adds AWS' public parameters
            if name.startswith("/mlinfra/") and name.endswith("/lock") and backend._parameters[name]:
                return str(backend._parameters[name][-1].value)
    return None


def _instances() -> Iterator[tuple[Any, Any]]:
    from moto.backends import get_backend

    for backend in get_backend("ec2")[ACCOUNT].values():
        for reservation in backend.reservations.values():
            for one in reservation.instances:
                yield backend, one


def _of(service: str, backend: Any) -> Iterator[Thing]:
    for attribute, held in list(vars(backend).items()):
        if (service, attribute) in ASIDE or attribute.startswith("sandbox_"):
            continue
        for key, one in _members(held):
            if not _gone(one, backend) and not _of_aws(service, one) and not str(key).startswith("/aws/"):
                yield _thing(service, attribute, str(key), one, backend)
    if service == "ec2":
        for owner, one in _instances():
            if owner is backend and one.state not in ENDED:
                yield Thing("ec2/instances", one.id, frozenset((one.id,)), "", _tags(backend, one.id))


def _members(held: Any) -> Iterator[tuple[Any, Any]]:
    """The objects in a dict, in a list, or one level deeper in either."""
    pairs = held.items() if isinstance(held, Mapping) or hasattr(held, "items") else enumerate(held) if isinstance(held, list) else ()
    for key, one in list(pairs):
        if isinstance(one, Mapping):
            yield from ((inner, value) for inner, value in one.items() if _is_model(value))
        elif isinstance(one, list):
            yield from ((key, value) for value in one[-1:] if _is_model(value))
        elif type(one).__name__ == "ScheduleGroup" and key == "default":  # every account has that one
            yield from one.schedules.items()
        elif _is_model(one):
            yield key, one


def _is_model(one: Any) -> bool:
    return type(one).__module__.startswith(("moto.", "sandbox.")) and hasattr(one, "__dict__")


def _gone(one: Any, backend: Any) -> bool:
    """Also the network ACL of a VPC that is gone, which moto keeps and AWS deletes with the VPC."""
    state = getattr(one, "state", None) or getattr(one, "_state", None)
    lost = type(one).__name__ == "NetworkAcl" and one.vpc_id not in backend.vpcs
    return lost or (isinstance(state, str) and state.lower() in ENDED)


def _of_aws(service: str, one: Any) -> bool:
    """What AWS makes by itself at first use: its keys for encryption, and service-linked roles."""
    if service == "iam":
        return str(getattr(one, "path", "")).startswith("/aws-service-role/")
    return service == "kms" and any(str(alias).startswith("alias/aws/") for alias in getattr(one, "aliases", ()))


def _thing(service: str, attribute: str, key: str, one: Any, backend: Any) -> Thing:
    names = {key, *(str(getattr(one, word)) for word in NAMES if isinstance(getattr(one, word, None), str))}
    shown = str(getattr(one, "id", None) or key)
    return Thing(f"{service}/{attribute}", shown, frozenset(names), _parent(attribute, one, backend), _tags(backend, shown))


def _parent(attribute: str, one: Any, backend: Any) -> str:
    """What AWS made it with: default things of a VPC, disks and interfaces of an instance, interfaces of gateways and endpoints."""
    instance = getattr(one, "instance", None) or getattr(getattr(one, "attachment", None), "instance", None)
    if instance is not None:
        return str(instance.id)
    if attribute == "enis":
        gateways = [gateway.id for gateway in backend.nat_gateways.values() if getattr(gateway, "_eni", None) is one]
        endpoints = [end.id for end in backend.vpc_end_points.values() if one.id in (end.network_interface_ids or ())]
        return str([*gateways, *endpoints, ""][0])
    default = getattr(one, "main_association_id", None) or getattr(one, "default", None) or getattr(one, "name", "") == "default"
    if attribute in ("route_tables", "network_acls", "groups") and default:
        return str(one.vpc_id)
    return ""


def _tags(backend: Any, identifier: str) -> dict[str, str]:
    tags = getattr(backend, "tags", None)
    return dict(tags[identifier]) if isinstance(tags, Mapping) and identifier in tags else {}
