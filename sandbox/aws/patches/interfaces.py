# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interfaces of a launch end with the instance, and carry the tags that the launch gives to interfaces.

AWS: an interface created at launch has DeleteOnTermination true unless the request says otherwise; TagSpecifications take
network-interface.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceSpecification.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
moto: keeps the interface after termination and drops its tags.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    from moto.ec2.models.instances import InstanceBackend

    original = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        tags = (options.get("tags") or {}).get("network-interface", {})
        asked = {int(nic.get("DeviceIndex", 0)): nic for nic in options.get("nics") or []}
        reservation = original(self, image_id, count, user_data, security_group_names, **options)
        for instance in reservation.instances:
            for index, interface in instance.nics.items():
                wanted = asked.get(index, {})
                if "NetworkInterfaceId" in wanted:
                    continue
                interface.add_tags(tags)
                if "DeleteOnTermination" not in wanted:
                    interface.delete_on_termination = True
        return reservation

    InstanceBackend.run_instances = run_instances
