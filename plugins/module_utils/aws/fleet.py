# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The CreateFleet request of a spot launch, and what its answer says. Pure.

An instant fleet takes all offers at once: EC2 chooses among types and zones by price and by the capacity that it has, which one request
after another cannot (``price-capacity-optimized``). What to launch it reads from a launch template. Its name is a hash of its content, so
that the same launch by another run is the same request, and the templates of a run that was killed are found and removed.
Sources: Amazon EC2 API reference, CreateFleet, CreateFleetInstance, CreateFleetError; Amazon EC2 user guide, "EC2 Fleet of type instant".
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import specification, token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

#: RunInstances parameters that are no part of a template: how many, which type, how it is paid for.
_NOT_OF_TEMPLATE = ("MinCount", "MaxCount", "InstanceType", "InstanceMarketOptions", "ClientToken")


class Fleet(NamedTuple):
    """``templates``: name → LaunchTemplateData; ``params``: of CreateFleet, without its token; ``places``: (type, subnet) → offer."""

    templates: Mapping[str, dict[str, Any]]
    params: dict[str, Any]
    places: Mapping[tuple[str, str], Offer]


class Refusal(NamedTuple):
    """What EC2 says of one offer, or with None of the request as a whole."""

    offer: Optional[Offer]
    code: str
    message: str


def fleet(
    scope: Scope,
    account_id: str,
    tags: Mapping[str, str],
    requests: Sequence[tuple[Offer, dict[str, Any]]],
    count: int,
    least: int,
    together: bool,
) -> Fleet:
    """One fleet for ``count`` instances over offers.

    :param tags: of the fleet.
    :param requests: each offer with its parameters of RunInstances.
    :param least: instances below which nothing is to be launched; EC2 knows that for fleets in one zone only.
    :param together: all in one zone, and of one type.
    """
    templates: dict[str, dict[str, Any]] = {}
    overrides: dict[str, list[dict[str, Any]]] = {}
    places = {}
    for offer, params in requests:
        data = template_data(params)
        name = template_name(scope, account_id, data)
        templates[name] = data
        override = {"InstanceType": offer.instance_type, "SubnetId": _subnet(params)}
        price = params.get("InstanceMarketOptions", {}).get("SpotOptions", {}).get("MaxPrice")
        overrides.setdefault(name, []).append({**override, "MaxPrice": price} if price else override)
        places[override["InstanceType"], override["SubnetId"]] = offer
    spot: dict[str, Any] = {"AllocationStrategy": "price-capacity-optimized", "InstanceInterruptionBehavior": "terminate"}
    if together:
        spot.update(SingleAvailabilityZone=True, SingleInstanceType=True, MinTargetCapacity=least)
    fleet_params = {
        "Type": "instant",
        "SpotOptions": spot,
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": count,
            "SpotTargetCapacity": count,
            "OnDemandTargetCapacity": 0,
            "DefaultTargetCapacityType": "spot",
        },
        "LaunchTemplateConfigs": [
            {"LaunchTemplateSpecification": {"LaunchTemplateName": name, "Version": "1"}, "Overrides": sorted(overrides[name], key=_place)}
            for name in sorted(templates)
        ],
        "TagSpecifications": [specification("fleet", tags)],
    }
    return Fleet(templates, fleet_params, places)


def _place(override: Mapping[str, Any]) -> tuple[str, str]:
    """The order of overrides means nothing to EC2; by price it would change the token from one hour to the next."""
    return override["InstanceType"], override["SubnetId"]


def template_data(params: Mapping[str, Any]) -> dict[str, Any]:
    """RunInstances parameters as LaunchTemplateData: without what the fleet says of each offer, user data in base64."""
    data = {key: value for key, value in params.items() if key not in _NOT_OF_TEMPLATE}
    data["NetworkInterfaces"] = [
        {key: value for key, value in interface.items() if key != "SubnetId"} for interface in params.get("NetworkInterfaces", [])
    ]
    if data.get("UserData"):
        data["UserData"] = base64.b64encode(data["UserData"].encode("utf-8", "surrogateescape")).decode()
    marked = next((one["Tags"] for one in params["TagSpecifications"] if one["ResourceType"] == "instance"), [])
    kind = {"Key": "mlinfra:kind", "Value": "spot_request"}
    spot_tags = [kind if tag["Key"] == kind["Key"] else tag for tag in marked]
    data["TagSpecifications"] = [*params["TagSpecifications"], {"ResourceType": "spot-instances-request", "Tags": spot_tags}]
    return data


def template_name(scope: Scope, account_id: str, data: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    return f"{token_prefix(scope, account_id)}{digest[:32]}"


def _subnet(params: Mapping[str, Any]) -> str:
    return params["NetworkInterfaces"][0]["SubnetId"]


def launched(answer: Mapping[str, Any], made: Fleet) -> list[tuple[str, Offer]]:
    """(instance id, its offer), in the order of the ids."""
    found = []
    for one in answer.get("Instances", ()):
        offer = _offer(one, made, one.get("InstanceType")) or _nearest(one, made)
        found += [(instance_id, offer) for instance_id in one.get("InstanceIds", ())]
    return sorted(found)


def _nearest(one: Mapping[str, Any], made: Fleet) -> Offer:
    """Of an instance whose subnet the answer does not say: it runs and is paid for, so it is never dropped."""
    override = (one.get("LaunchTemplateAndOverrides") or {}).get("Overrides") or {}
    kind, zone = one.get("InstanceType") or override.get("InstanceType"), one.get("AvailabilityZone") or override.get("AvailabilityZone")
    return max(made.places.values(), key=lambda offer: (offer.instance_type == kind, offer.zone == zone))


def refused(answer: Mapping[str, Any], made: Fleet) -> list[Refusal]:
    return [Refusal(_offer(one, made), one.get("ErrorCode", ""), one.get("ErrorMessage", "")) for one in answer.get("Errors", ())]


def _offer(one: Mapping[str, Any], made: Fleet, instance_type: Optional[str] = None) -> Optional[Offer]:
    override = (one.get("LaunchTemplateAndOverrides") or {}).get("Overrides") or {}
    place = (instance_type or override.get("InstanceType", ""), override.get("SubnetId") or one.get("SubnetId", ""))
    return made.places.get(place)
