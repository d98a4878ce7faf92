# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance launched with DisableApiTermination cannot be terminated until that is lifted, and takes its zone's others with it.

AWS: TerminateInstances answers OperationNotPermitted; "If you terminate multiple instances across multiple Availability Zones, and one or
more of the specified instances are enabled for termination protection, the request fails": those in the same zone as a protected one
stay, others are terminated.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
moto: RunInstances ignores the parameter, and terminates what stands before the protected one in the list.
"""

from __future__ import annotations

from typing import Any

from ..context import CURRENT


def apply() -> None:
    from moto.ec2.exceptions import OperationNotPermitted4
    from moto.ec2.models.instances import InstanceBackend

    run, terminate = InstanceBackend.run_instances, InstanceBackend.terminate_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        if CURRENT.form("RunInstances").get("DisableApiTermination", "").lower() == "true":
            options["disable_api_termination"] = True
        return run(self, image_id, count, user_data, security_group_names, **options)

    def terminate_instances(self: Any, instance_ids: list[str]) -> Any:
        instances = self.get_multi_instances_by_id(instance_ids) if instance_ids else []
        shielded = [one for one in instances if _true(one.disable_api_termination)]
        if shielded:
            zones = {one.availability_zone for one in shielded}
            others = [one.id for one in instances if one.availability_zone not in zones]
            if others:
                terminate(self, others)
            raise OperationNotPermitted4(shielded[0].id)
        return terminate(self, instance_ids)

    InstanceBackend.run_instances, InstanceBackend.terminate_instances = run_instances, terminate_instances


def _true(value: Any) -> bool:
    """The attribute as ModifyInstanceAttribute stores it: a boolean or its text."""
    return str(value).lower() == "true"
