# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capacity reservations and blocks: made, listed, cancelled, and used up by the launches that target them.

AWS: CreateCapacityReservation, DescribeCapacityReservations, CancelCapacityReservation; a launch that targets one must match its type and
zone (Unsupported), and fails with ReservationCapacityExceeded when it does not fit; capacity comes back when an instance ends.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-reservations-launch.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: knows none of these calls and ignores the target. A capacity block is bought (PurchaseCapacityBlock); here a reservation that is
tagged ``sandbox:type`` = ``capacity-block`` is one.
"""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any

from ..context import CURRENT

TYPE_TAG = "sandbox:type"
GONE = ("shutting-down", "terminated")


@dataclass
class _Reservation:
    instance_type: str
    zone: str
    total: int
    kind: str
    ends: str | None
    tags: dict[str, str]
    id: str = field(default_factory=lambda: f"cr-{uuid.uuid4().hex[:17]}")
    state: str = "active"
    users: list[Any] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.total - sum(1 for instance in self.users if instance.state not in GONE)

    def answer(self, account_id: str) -> dict[str, Any]:
        return {
            "CapacityReservationId": self.id, "OwnerId": account_id, "InstanceType": self.instance_type, "AvailabilityZone": self.zone,
            "InstancePlatform": "Linux/UNIX", "Tenancy": "default", "TotalInstanceCount": self.total, "State": self.state,
            "AvailableInstanceCount": self.available if self.state == "active" else 0, "InstanceMatchCriteria": "targeted",
            "EndDateType": "limited" if self.ends else "unlimited", "ReservationType": self.kind,
            **({"EndDate": self.ends} if self.ends else {}), "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }


def apply() -> None:
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.instances import InstanceBackend
    from moto.ec2.responses import EC2Response

    def known(backend: Any) -> dict[str, _Reservation]:
        return backend.__dict__.setdefault("sandbox_reservations", {})

    def found(backend: Any, reservation_id: str) -> _Reservation:
        if reservation_id not in known(backend):
            what = f"The Capacity Reservation ID '{reservation_id}' does not exist"
            raise EC2ClientError("InvalidCapacityReservationId.NotFound", what)
        return known(backend)[reservation_id]

    def create_capacity_reservation(self: Any) -> Any:
        form = CURRENT.form("CreateCapacityReservation")
        tags = _tags(form)
        wanted = (form["InstanceType"], form["AvailabilityZone"], int(form["InstanceCount"]))
        made = _Reservation(*wanted, tags.get(TYPE_TAG, "default"), form.get("EndDate"), tags)
        known(self.ec2_backend)[made.id] = made
        return ActionResult({"CapacityReservation": made.answer(self.current_account)})

    def describe_capacity_reservations(self: Any) -> Any:
        _end(known(self.ec2_backend).values())
        answers = [one.answer(self.current_account) for one in known(self.ec2_backend).values()]
        words = {"instance-type": "InstanceType", "state": "State", "availability-zone": "AvailabilityZone"}
        for name, values in self._filters_from_querystring().items():
            if name not in words:
                raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
            answers = [answer for answer in answers if answer[words[name]] in values]
        return ActionResult({"CapacityReservations": answers})

    def cancel_capacity_reservation(self: Any) -> Any:
        found(self.ec2_backend, CURRENT.form("CancelCapacityReservation")["CapacityReservationId"]).state = "cancelled"
        return ActionResult({"Return": True})

    EC2Response.create_capacity_reservation = create_capacity_reservation
    EC2Response.describe_capacity_reservations = describe_capacity_reservations
    EC2Response.cancel_capacity_reservation = cancel_capacity_reservation

    original = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        form = CURRENT.form("RunInstances")
        target = form.get("CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId")
        if not target:
            return original(self, image_id, count, user_data, security_group_names, **options)
        one = found(self, target)
        _end([one])
        nics = options.get("nics") or [{}]
        zone = self.get_subnet(options.get("subnet_id") or nics[0]["SubnetId"]).availability_zone
        if (options.get("instance_type"), zone) != (one.instance_type, one.zone):
            raise EC2ClientError("Unsupported", f"{target} is for {one.instance_type} in {one.zone}.")
        if one.available < int(form.get("MinCount", 1)) or one.state != "active":
            raise EC2ClientError("ReservationCapacityExceeded", f"{target} does not have sufficient capacity ({one.available} left).")
        before = CURRENT.capacity
        CURRENT.capacity = one.available if before < 0 else min(before, one.available)
        try:
            reservation = original(self, image_id, count, user_data, security_group_names, **options)
        finally:
            CURRENT.capacity = before
        one.users += reservation.instances
        return reservation

    InstanceBackend.run_instances = run_instances


def _end(reservations: Any) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for one in reservations:
        if one.ends and one.state == "active" and datetime.datetime.fromisoformat(one.ends.replace("Z", "+00:00")) <= now:
            one.state = "expired"


def _tags(form: dict[str, str]) -> dict[str, str]:
    prefix = "TagSpecifications.1.Tag."
    keys = {name[len(prefix):-4]: value for name, value in form.items() if name.startswith(prefix) and name.endswith(".Key")}
    return {key: form.get(f"{prefix}{number}.Value", "") for number, key in keys.items()}
