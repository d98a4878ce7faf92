# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the way of a plan's launches: quotas, addresses, keys, roles, routes. Pure; ``capacity/limits_reading.py`` reads.

A pool that cannot be had at all is refused before the first write. All else is said and left to EC2, which knows better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import placing
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import VPC
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import (
    limits_addresses,
    limits_keys,
    limits_routes,
    limits_storage,
    limits_types,
    limits_vcpu,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Limits, Line, Need, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits_reading import Asked
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool


def asked(pools: Iterable[Pool], intent: Intent, seen: Observed) -> Asked:
    """What has to be read for these pools, which launch something."""
    pools = list(pools)
    keys = [key for pool in pools for _path, key in keys_of(pool) if not limits_keys.elsewhere(key, seen.region)]
    network = intent.stack.network
    return Asked(
        frozenset(pool.name for pool in pools),
        tuple(sorted({name for pool in pools for name in pool.instance_types if name not in pool.exclude_types})),
        tuple(sorted({market for pool in pools for market in pool.market})),
        any(gp3_of(pool) for pool in pools),
        tuple(sorted(set(keys))),
        seen.id(VPC) if network is not None and network.existing is not None else None,
    )


def keys_of(pool: Pool) -> list[tuple[str, str]]:
    """(where the declaration names it, key) of each disk that has a key of its own."""
    disks = [(f"pools.{pool.name}.disk.kms_key", pool.disk)]
    disks += [(f"pools.{pool.name}.volumes[{index}].kms_key", disk) for index, disk in enumerate(pool.volumes)]
    return [(path, disk.kms_key) for path, disk in disks if disk.kms_key is not None]


def gp3_of(pool: Pool) -> int:
    """GiB of gp3 that one instance gets."""
    return sum(disk.gib or 0 for disk in (pool.disk, *pool.volumes) if disk.type == "gp3")


def role_arn(seen: Observed) -> str:
    """The service-linked role of spot in this account."""
    return f"arn:{seen.partition}:iam::{seen.account_id}:role/aws-service-role/spot.amazonaws.com/{limits_keys.SPOT_ROLE}"


def lines(intent: Intent, seen: Observed, changes: Iterable[Change]) -> list[Line]:
    """All findings for the pools that the plan launches for, successors too, in the order of the pools."""
    new: dict[str, list[Change]] = {}
    for change in changes:
        if change.kind == "instance" and change.action in ("create", "replace"):
            new.setdefault(change.wish.make["pool"].name, []).append(change)
    told: list[Line] = []
    vcpus: dict[str, float] = {}
    tebibytes = 0.0
    limits = seen.limits
    for pool in intent.stack.pools or ():
        if pool.name not in new or pool.name not in seen.limits.pools:
            continue
        count, beside = len(new[pool.name]), new[pool.name][0].wish.make["beside"]
        ending = [change.found for change in new[pool.name] if change.action == "replace"]
        choice = placing.choose(pool, intent, seen, count, beside, ending)
        need = placing.need(pool, seen, choice.all, count, len(beside) if ending else None)
        limits = limits_vcpu.without(limits, [placing.quota_of(one) for one in ending])
        told += _room(need, choice, intent, seen, limits, vcpus, ending)
        for code, more in limits_vcpu.takes(need, limits).items():
            vcpus[code] = vcpus.get(code, 0) + more
        gib = gp3_of(pool)
        if gib:
            allowed = seen.limits.quotas.get(limits_storage.GP3.code, Unknown("nobody asked"))
            told.append(limits_storage.line(need, gib, allowed, seen.region, tebibytes))
            tebibytes = round(tebibytes + need.least * gib / 1024, 3)
        told += _wants(pool, need, choice, intent, seen)
    return told


def _room(
    need: Need, choice: placing.Choice, intent: Intent, seen: Observed, limits: Limits, taken: dict[str, float], ending: list[Found]
) -> list[Line]:
    """Quotas and addresses, which together say whether the pool can be had.

    :param limits: without what ends before the launch, ``ending``, which gives its addresses back too.
    """
    free = placing.free_addresses(choice.subnets, intent, seen)
    back = Counter(found.state["zone"] for found in ending)
    free = {zone: number if number is None else number + back[zone] * need.addresses for zone, number in free.items()}
    quota, addresses = limits_vcpu.most(need, limits, taken), limits_addresses.most(need, free)
    few = [most is not None and most < need.least for most in (quota, addresses)]
    none = bool(need.least) and not placing.within(need, limits, free)
    # an offer that the quota leaves may be in a zone that has no addresses: only together they leave none
    return [
        *limits_vcpu.lines(need, limits, seen.region, few[0] or (none and not few[1]), taken),
        limits_addresses.line(need, free, few[1] or (none and not few[0])),
    ]


def _wants(pool: Pool, need: Need, choice: placing.Choice, intent: Intent, seen: Observed) -> list[Line]:
    limits = seen.limits
    spot = any(offer.market == "spot" for offer in need.offers)
    told = [limits_types.spot_role(need, limits.spot_role)] if spot else []
    for path, key in keys_of(pool):
        told += limits_keys.lines(pool.name, path, key, limits.keys.get(key), seen.region, role_arn(seen), spot)
    if pool.efa:
        told.append(limits_types.efa(need, limits))
    return told + _way_out(pool, need, choice, intent, seen, limits)


def _way_out(pool: Pool, need: Need, choice: placing.Choice, intent: Intent, seen: Observed, limits: Limits) -> list[Line]:
    network = intent.stack.network
    public = placing.public_address(pool, network)
    if network.existing is None:
        return [limits_routes.closed(pool.name, network.endpoints)] if not public and network.nat == "none" else []
    if limits.route_tables is None:
        return []
    zones = {offer.zone for offer in need.offers}
    used = [seen.get(*ref) for zone, ref in choice.subnets.items() if zone in zones]
    subnets = {found.id: _public(public, found.facts.get("public_addresses")) for found in used}
    return [limits_routes.line(pool.name, limits.route_tables, subnets)]


def _public(wished: Optional[bool], subnet: Optional[bool]) -> Optional[bool]:
    """Whether hosts get a public address: where the launch leaves it open, the subnet decides."""
    return subnet if wished is None else wished


def refuse(told: Iterable[Line]) -> None:
    """:raises StackError: a pool cannot be had at all; all reasons are in the message and all findings in its details."""
    told = list(told)
    refused = [line for line in told if line.verdict == "refused"]
    if not refused:
        return
    said = [f"{line.path}: {line.text.rstrip('.')}" for line in refused]
    raise StackError(
        said[0] if len(said) == 1 else "\n".join(["what is declared cannot be had:", *(f"- {one}" for one in said)]),
        "Nothing was made",
        path=refused[0].path,
        code=refused[0].code,
        preflight=[line.public() for line in told],
    )


def warnings(told: Iterable[Line]) -> list[str]:
    """What a run says beside its result. That a network of ours has no way out is said by ``advice`` of every run."""
    return [f"{line.path}: {line.text}." for line in told if line.verdict == "warning" and line.path != "network.nat"]


def public(told: Iterable[Line]) -> list[dict[str, Any]]:
    return [line.public() for line in told]
