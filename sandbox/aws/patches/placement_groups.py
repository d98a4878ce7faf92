# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement groups: made, listed, deleted, and what a launch into one has to fit.

AWS: names are unique in a region (InvalidPlacementGroup.Duplicate), an unknown one is InvalidPlacementGroup.Unknown, one with instances in
it is InvalidPlacementGroup.InUse; a cluster group is in one zone and takes no burstable types (InvalidParameterCombination).
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html, API_DeletePlacementGroup.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: answers the three calls with HTTP 500, ignores Placement.GroupName, and has no filter placement-group-name. With what code AWS refuses
a second zone is not documented: here it is InvalidParameterValue.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from ..context import CURRENT

GONE = "terminated"
FILTERS = {"group-name": "GroupName", "strategy": "Strategy", "state": "State"}
_LOCK = threading.RLock()


@dataclass
class _Group:
    name: str
    strategy: str
    id: str = field(default_factory=lambda: f"pg-{uuid.uuid4().hex[:17]}")
    instances: list[Any] = field(default_factory=list)

    @property
    def living(self) -> list[Any]:
        return [one for one in self.instances if one.state != GONE]


def apply() -> None:
    from moto.core.responses import ActionResult, EmptyResult
    from moto.ec2 import utils
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.instance_types import INSTANCE_TYPES
    from moto.ec2.models.instances import InstanceBackend
    from moto.ec2.responses import EC2Response

    def known(backend: Any) -> dict[str, _Group]:
        return backend.__dict__.setdefault("sandbox_placement_groups", {})

    def found(backend: Any, name: str) -> _Group:
        if name not in known(backend):
            raise EC2ClientError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
        return known(backend)[name]

    def answer(response: Any, group: _Group) -> dict[str, Any]:
        tags = response.ec2_backend.tags.get(group.id, {})
        arn = f"arn:{response.partition}:ec2:{response.region}:{response.current_account}:placement-group/{group.name}"
        return {
            "GroupName": group.name, "GroupId": group.id, "GroupArn": arn, "Strategy": group.strategy, "State": "available",
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def create_placement_group(self: Any) -> Any:
        form = CURRENT.form("CreatePlacementGroup")
        name, strategy = form.get("GroupName", ""), form.get("Strategy", "")
        if not name or not strategy:
            raise EC2ClientError("MissingParameter", "The request must contain GroupName and Strategy.")
        with _LOCK:
            if name in known(self.ec2_backend):
                raise EC2ClientError("InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists.")
            group = known(self.ec2_backend)[name] = _Group(name, strategy)
        tags = self._parse_tag_specification("placement-group").get("placement-group", {})
        if tags:
            self.ec2_backend.create_tags([group.id], tags)
        return ActionResult({"PlacementGroup": answer(self, group)})

    def describe_placement_groups(self: Any) -> Any:
        form = CURRENT.form("DescribePlacementGroups")
        names = [value for key, value in form.items() if key.startswith("GroupName.")]
        groups = [found(self.ec2_backend, name) for name in names] or list(known(self.ec2_backend).values())
        answers = [answer(self, group) for group in groups]
        for name, values in self._filters_from_querystring().items():
            answers = [one for one in answers if _matches(one, name, values)]
        return ActionResult({"PlacementGroups": answers})

    def delete_placement_group(self: Any) -> Any:
        with _LOCK:
            group = found(self.ec2_backend, CURRENT.form("DeletePlacementGroup")["GroupName"])
            if group.living:
                raise EC2ClientError("InvalidPlacementGroup.InUse", f"The placement group '{group.name}' is in use and may not be deleted.")
            del known(self.ec2_backend)[group.name]
        return EmptyResult()

    EC2Response.create_placement_group = create_placement_group
    EC2Response.describe_placement_groups = describe_placement_groups
    EC2Response.delete_placement_group = delete_placement_group
    utils.EC2_RESOURCE_TO_PREFIX["placement-group"], utils.EC2_PREFIX_TO_RESOURCE["pg"] = "pg", "placement-group"
    utils.filter_dict_attribute_mapping["placement-group-name"] = "placement.group_name"
    original = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        name = CURRENT.form("RunInstances").get("Placement.GroupName") or _of_template(self, options)
        if not name:
            return original(self, image_id, count, user_data, security_group_names, **options)
        with _LOCK:
            group, kind = found(self, name), options.get("instance_type")
            strategies = INSTANCE_TYPES.get(kind, {}).get("PlacementGroupInfo", {}).get("SupportedStrategies", [group.strategy])
            if group.strategy not in strategies:
                raise EC2ClientError("InvalidParameterCombination", (
                    f"{group.strategy.capitalize()} placement groups are not supported by the '{kind}' instance type. Specify a supported "
                    "instance type or change the placement group strategy, and try again."))
            nics = options.get("nics") or [{}]
            subnet = options.get("subnet_id") or nics[0].get("SubnetId")
            zone = self.get_subnet(subnet).availability_zone if subnet else options.get("placement")
            there = {one.availability_zone for one in group.living}
            if group.strategy == "cluster" and zone and there - {zone}:
                raise EC2ClientError("InvalidParameterValue", (
                    f"The placement group '{name}' is in {', '.join(sorted(there))}: a cluster placement group cannot span zones."))
            reservation = original(self, image_id, count, user_data, security_group_names, **options)
            group.instances += reservation.instances
        for instance in reservation.instances:
            instance.placement.group_name = name
        return reservation

    InstanceBackend.run_instances = run_instances


def _of_template(backend: Any, options: dict[str, Any]) -> str:
    """What a launch template says, for launches through one."""
    if not options.get("launch_template"):
        return ""
    return (backend._get_template_from_args(options["launch_template"]).data.get("Placement") or {}).get("GroupName") or ""


def _matches(answer: dict[str, Any], name: str, values: list[str]) -> bool:
    from moto.ec2.exceptions import EC2ClientError

    if name.startswith("tag:"):
        return any(tag["Key"] == name[4:] and tag["Value"] in values for tag in answer["Tags"])
    if name not in FILTERS:
        raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return answer[FILTERS[name]] in values
