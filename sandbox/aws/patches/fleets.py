# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instant fleets launch from their template what there is, say what was refused, and launch once for one token.

AWS: CreateFleet of type instant answers with the instances and, for each override that failed, its error, with HTTP 200; price-capacity-
optimized chooses among all overrides; MinTargetCapacity (with SingleAvailabilityZone or SingleInstanceType) launches nothing when it cannot
be reached; one ClientToken is one fleet, and nobody says that a replay is answered in full (faults with ``hollow``); instances carry the
tag aws:ec2:fleet-id; DescribeFleets shows instant fleets by id only.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFleet.html, API_SpotOptionsRequest.html, API_DescribeFleets.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instant-fleet.html
moto: launches by a path of its own that drops interfaces, disks, metadata options, profile and zone, knows no token and no errors.
Fleets of other types are left to moto. The capacity of a place is what RunInstances finds there (faults with ``capacity``).
"""

from __future__ import annotations

import datetime
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from .. import inner
from ..context import CURRENT

MISMATCH = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
TEMPLATE = "LaunchTemplateData."
_LOCK = threading.RLock()


@dataclass
class _Fleet:
    request: dict[str, str]
    token: str
    tags: list[dict[str, str]]
    id: str = field(default_factory=lambda: f"fleet-{uuid.uuid4()}")
    created: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    instances: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


def apply() -> None:
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses.fleets import Fleets
    from moto.ec2.responses.launch_templates import LaunchTemplates

    create_template, create_fleet, describe_fleets = (
        LaunchTemplates.create_launch_template, Fleets.create_fleet, Fleets.describe_fleets)

    def create_launch_template(self: Any) -> Any:
        form = CURRENT.form("CreateLaunchTemplate")
        answer = create_template(self)
        data = {name.removeprefix(TEMPLATE): value for name, value in form.items() if name.startswith(TEMPLATE)}
        self.ec2_backend.__dict__.setdefault("sandbox_templates", {})[form["LaunchTemplateName"]] = data
        return answer

    def create(self: Any) -> Any:
        form = CURRENT.form("CreateFleet")
        if form.get("Type") != "instant":
            return create_fleet(self)
        request = {name: value for name, value in form.items() if name != "ClientToken"}
        token = form.get("ClientToken", "")
        with _LOCK:
            fleets: dict[str, _Fleet] = self.ec2_backend.__dict__.setdefault("sandbox_fleets", {})
            known = next((one for one in fleets.values() if token and one.token == token), None)
            if known is not None and known.request != request:
                raise EC2ClientError("IdempotentParameterMismatch", MISMATCH)
            if known is not None and CURRENT.hollow:
                return ActionResult({"FleetId": known.id})
            if known is None:
                known = _Fleet(request, token, _tags(self, "fleet"))
                _launch(self, known)
                fleets[known.id] = known
        return ActionResult({"FleetId": known.id, "Instances": known.instances, "Errors": known.errors})

    def describe(self: Any) -> Any:
        ids = self._get_param("FleetIds", [])
        fleets: dict[str, _Fleet] = self.ec2_backend.__dict__.get("sandbox_fleets", {})
        ours = [fleets[one] for one in ids if one in fleets]
        unknown = [one for one in ids if one not in fleets and one not in self.ec2_backend.fleets]
        if unknown:
            raise EC2ClientError("InvalidFleetId.NotFound", f"The fleet ID '{unknown[0]}' does not exist")
        if not ours:
            return describe_fleets(self)
        return ActionResult({"Fleets": [
            {"FleetId": one.id, "ClientToken": one.token, "Type": "instant", "FleetState": "active", "Tags": one.tags,
             "CreateTime": one.created, "Instances": one.instances, "Errors": one.errors}
            for one in ours
        ]})

    LaunchTemplates.create_launch_template = create_launch_template
    Fleets.create_fleet, Fleets.describe_fleets = create, describe


def _tags(response: Any, kind: str) -> list[dict[str, str]]:
    given = response._get_param("TagSpecifications", [])
    return [tag for one in given if one.get("ResourceType") == kind for tag in one.get("Tags", [])]


def _launch(response: Any, fleet: _Fleet) -> None:
    """Ask for the instances, place by place, the cheapest first."""
    options = response._get_param("SpotOptions", {})
    target = response._get_param("TargetCapacitySpecification", {})
    wanted, least = int(target["TotalTargetCapacity"]), int(options.get("MinTargetCapacity") or 1)
    single = _true(options.get("SingleAvailabilityZone")) or _true(options.get("SingleInstanceType"))
    left = wanted
    for config, override in _places(response):
        if not left:
            break
        shown = {"LaunchTemplateSpecification": config["LaunchTemplateSpecification"], "Overrides": override}
        try:
            ids = _run(response, fleet, config, override, least if single else 1, left)
        except inner.Refused as error:
            failed = {"ErrorCode": error.code, "ErrorMessage": error.message}
            fleet.errors.append({"LaunchTemplateAndOverrides": shown, "Lifecycle": "spot", **failed})
            continue
        left -= len(ids)
        fleet.instances.append({
            "LaunchTemplateAndOverrides": shown, "Lifecycle": "spot", "InstanceIds": ids, "InstanceType": override["InstanceType"]})
        if single:
            break


def _places(response: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    from .spot_prices import spot_price

    found = []
    for config in response._get_param("LaunchTemplateConfigs", []):
        for override in config.get("Overrides", []):
            zone = response.ec2_backend.get_subnet(override["SubnetId"]).availability_zone
            usd = spot_price(override["InstanceType"], zone)
            found.append((usd if usd is not None else float("inf"), override["InstanceType"], zone, config, override))
    found.sort(key=lambda one: one[:3])
    return [(config, override) for *_key, config, override in found]


def _run(
    response: Any, fleet: _Fleet, config: dict[str, Any], override: dict[str, Any], least: int, most: int,
) -> list[str]:
    """The ids of what RunInstances launches there.

    :raises inner.Refused: its error, or the spot price.
    """
    backend = response.ec2_backend
    name = config["LaunchTemplateSpecification"].get("LaunchTemplateName", "")
    template = backend.__dict__.get("sandbox_templates", {}).get(name)
    if template is None or name not in [one.name for one in backend.launch_templates.values()]:
        from moto.ec2.exceptions import EC2ClientError

        raise EC2ClientError("InvalidLaunchTemplateName.NotFoundException", f"The specified launch template, {name}, does not exist.")
    form = {
        **template, "Action": "RunInstances", "InstanceType": override["InstanceType"], "MinCount": str(least), "MaxCount": str(most),
        "InstanceMarketOptions.MarketType": "spot", "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
    }
    inside = any(parameter.startswith("NetworkInterface.1.") for parameter in template)
    form["NetworkInterface.1.SubnetId" if inside else "SubnetId"] = override["SubnetId"]
    if override.get("MaxPrice"):
        _affordable(override, backend.get_subnet(override["SubnetId"]).availability_zone)
    ids = [element.text or "" for element in inner.ec2(form).iter("instanceId")]
    for instance_id in ids:
        backend.get_instance(instance_id).add_tags({"aws:ec2:fleet-id": fleet.id})
    return ids


def _affordable(override: dict[str, Any], zone: str) -> None:
    from .spot_prices import spot_price

    usd = spot_price(override["InstanceType"], zone)
    if usd is not None and usd > float(override["MaxPrice"]):
        raise inner.Refused("SpotMaxPriceTooLow", f"Your Spot request price of {override['MaxPrice']} is lower than the minimum {usd:.4f}.")


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
