# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RunInstances launches MaxCount when it can, at least MinCount or nothing, and all of them get the instance profile.

AWS: "If you specify a value [of MaxCount] that is more capacity than Amazon EC2 can launch in the target Availability Zone, Amazon EC2
launches the largest possible number of instances above MinCount."
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html InsufficientFreeAddressesInSubnet and
InsufficientInstanceCapacity: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: launches MinCount, associates the profile with the first instance only, and knows neither error.
"""

from __future__ import annotations

from typing import Any

from ..context import CURRENT


def apply() -> None:
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.instances import InstanceBackend

    original = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        form = CURRENT.form("RunInstances")
        if not form:
            return original(self, image_id, count, user_data, security_group_names, **options)
        least, most = int(form.get("MinCount", 1)), int(form.get("MaxCount", 1))
        if least < 1 or most < least:
            raise EC2ClientError("InvalidParameterValue", f"MaxCount ({most}) must be at least MinCount ({least}), and both 1 or more")
        free = _free_addresses(self, options)
        if free is not None and free < least:
            raise EC2ClientError("InsufficientFreeAddressesInSubnet", f"Not enough free addresses in subnet: {free} left, {least} wanted.")
        if 0 <= CURRENT.capacity < least:
            raise EC2ClientError("InsufficientInstanceCapacity", (
                f"We currently do not have sufficient {options.get('instance_type')} capacity in the Availability Zone you requested. "
                "Our system will be working on provisioning additional capacity."))
        bounds = [most, *([] if free is None else [free]), *([CURRENT.capacity] if CURRENT.capacity >= 0 else [])]
        reservation = original(self, image_id, min(bounds), user_data, security_group_names, **options)
        name, arn = options.get("iam_instance_profile_name"), options.get("iam_instance_profile_arn")
        if name or arn:
            for instance in reservation.instances[1:]:
                self.associate_iam_instance_profile(instance.id, iam_instance_profile_name=name, iam_instance_profile_arn=arn)
        return reservation

    InstanceBackend.run_instances = run_instances


def _free_addresses(backend: Any, options: dict[str, Any]) -> int | None:
    """What is free in the subnet of the first interface; None when it is not known which subnet that will be."""
    nics = options.get("nics") or [{}]
    subnet_id = options.get("subnet_id") or nics[0].get("SubnetId")
    return int(backend.get_subnet(subnet_id).available_ip_address_count) if subnet_id else None
