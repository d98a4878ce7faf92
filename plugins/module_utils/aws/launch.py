# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The RunInstances requests of a plan: one for all slots of a pool that have the same offers. Pure.

The ClientToken is a hash over the whole request, the slots, and every instance that these slots ever had: the same wish sent twice is
the same launch, also by another run, and a slot whose instance has ended gets a new one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import interfaces, terms, volumes
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fitting import explicit
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.placing import slots_text
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import POOL, SLOTS, specification, token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, ImageFacts, Ref, resolve
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Access, Pool, Scope


def batches(changes: Iterable[Change]) -> list[list[Change]]:
    """The changes that one request can launch together: same pool and image, same offers in the same order; in order of their slots.

    Where spot comes first, one fleet is for all that have the same offers of it: what it could not have is split by the other offers then.
    """
    groups: dict[Any, list[Change]] = {}
    for change in changes:
        pool, offers = change.wish.make["pool"], change.wish.make["offers"]
        fleet = tuple(itertools.takewhile(lambda offer: offer.market == "spot", offers))
        groups.setdefault((pool.name, fleet or offers), []).append(change)
    return [sorted(group, key=lambda change: change.wish.make["slot"]) for _key, group in sorted(groups.items(), key=lambda one: one[0][0])]


def apart(changes: Iterable[Change]) -> list[list[Change]]:
    """Those of one batch by all of their offers: slots of a pool that is spread begin in different zones."""
    groups: dict[Any, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.wish.make["offers"], []).append(change)
    return list(groups.values())


def request(batch: list[Change], offer: Offer, least: int, ids: Callable[[Ref], Optional[str]]) -> dict[str, Any]:
    """All parameters of RunInstances except the token.

    :param least: how many of the batch have to be had for the launch to take place.
    :param ids: the id of what a Ref names, which is there by now.
    """
    wish = batch[0].wish
    make, pool = wish.make, wish.make["pool"]
    slots = [change.wish.make["slot"] for change in batch]
    tags = {**wish.tags, SLOTS: slots_text(slots)}
    params: dict[str, Any] = {
        "ImageId": wish.state["image_id"],
        "InstanceType": offer.instance_type,
        "MinCount": least,
        "MaxCount": len(batch),
        "NetworkInterfaces": _interfaces(make, pool, offer, ids),
        "BlockDeviceMappings": volumes.mappings(pool, make["image"]),
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": wish.state["hop_limit"],
            "HttpEndpoint": "enabled",
            "InstanceMetadataTags": "disabled",  # said, since an account can have another default, which refuses tags with a slash
        },
        "TagSpecifications": [specification("instance", tags)]
        + [specification(kind, {**tags, "mlinfra:kind": kind.replace("-", "_")}) for kind in ("volume", "network-interface")],
    }
    params.update(_paid(offer, pool))
    if make.get("placement_group") is not None:
        params["Placement"] = {"GroupName": resolve(make["placement_group"], ids)}
    if pool.termination_protection:
        params["DisableApiTermination"] = True
    if make["key"] is not None:
        params["KeyName"] = resolve(make["key"], ids)
    if make["profile"] is not None:
        params["IamInstanceProfile"] = {"Name": resolve(make["profile"], ids)}
    if pool.user_data:
        params["UserData"] = pool.user_data
    terms.into_request(params, pool)
    return params


def _paid(offer: Offer, pool: Pool) -> dict[str, Any]:
    """What says how the instance is paid for; nothing for On-Demand."""
    if offer.market == "spot":
        spot = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        if pool.max_hourly_usd is not None:
            spot["MaxPrice"] = f"{pool.max_hourly_usd:g}"
        return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": spot}}
    if offer.reservation is None:
        return {}
    target = {"CapacityReservationId": offer.reservation}
    params: dict[str, Any] = {"CapacityReservationSpecification": {"CapacityReservationTarget": target}}
    if offer.market == "capacity_block":
        params["InstanceMarketOptions"] = {"MarketType": "capacity-block"}
    return params


def _interfaces(make: dict[str, Any], pool: Pool, offer: Offer, ids: Callable[[Ref], Optional[str]]) -> list[dict[str, Any]]:
    """Those that the offered type gets: an offer that takes fewer was none."""
    facts = make.get("types", {}).get(offer.instance_type) or TypeFacts(offer.instance_type)
    laid = interfaces.layout(facts, pool.efa, pool.interfaces) or (interfaces.Interface(0, 0),)
    subnet, groups = resolve(make["subnets"][offer.zone], ids), resolve(make["groups"], ids)
    return interfaces.specifications(laid, subnet, groups, make["public_address"], explicit(pool))


def token(scope: Scope, account_id: str, pool: str, slots: list[int], ended: Iterable[str], params: dict[str, Any]) -> str:
    """At most 64 characters. ``ended`` are the ids of all instances that these slots had."""
    parts = [account_id, scope.region, scope.stack, scope.environment, pool, slots_text(slots), sorted(ended), params]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return token_prefix(scope, account_id) + digest[:40]


def access_tags(access: Access, pool: Pool) -> dict[str, str]:
    """What the inventory needs to know to reach the pool's hosts."""
    tags = {POOL: pool.name, "mlinfra:ssh-user": pool.ssh_user}
    if access.via != "bastion" or access.bastion_pool == pool.name:
        return {**tags, "mlinfra:access": "direct"}
    tags["mlinfra:access"] = "bastion"
    if access.bastion_pool:
        tags["mlinfra:bastion"] = access.bastion_pool
    elif access.bastion_host:
        tags["mlinfra:bastion"] = f"{access.bastion_user}@{access.bastion_host}" if access.bastion_user else access.bastion_host
    return tags


def outdated(found: dict[str, Any], pool: Pool, image: Optional[ImageFacts], more: Iterable[str] = ()) -> str:
    """What an instance has that a new one of its pool would not have, or nothing. Information: nothing is replaced for it."""
    differences = []
    if found["instance_type"] not in pool.instance_types:
        differences.append(f"instance_type {found['instance_type']}, now {' or '.join(pool.instance_types)}")
    wanted = image.id if image is not None else pool.image.id
    if wanted and wanted != found["image_id"]:
        differences.append(f"image_id {found['image_id']}, now {wanted}")
    if pool.zones and found["zone"] not in pool.zones:
        differences.append(f"zone {found['zone']}, now {' or '.join(pool.zones)}")
    differences += more
    return f"outdated: {'; '.join(differences)}" if differences else ""
