# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ModifyInstanceAttribute changes what it names and nothing else, and some of it only while the instance is stopped.

AWS: type, user data, kernel and EBS optimisation need a stopped instance, else IncorrectInstanceState.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
moto: allows them at any time; the shutdown behaviour is not changed, and the instance loses its security groups instead.
"""

from __future__ import annotations

from typing import Any

from ..context import CURRENT

STOPPED_ONLY = ("InstanceType", "UserData", "Kernel", "Ramdisk", "EbsOptimized")
BEHAVIOUR = "InstanceInitiatedShutdownBehavior"


def apply() -> None:
    from moto.core.responses import EmptyResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses.instances import InstanceResponse

    original = InstanceResponse.modify_instance_attribute

    def modify_instance_attribute(self: Any) -> Any:
        form = CURRENT.form("ModifyInstanceAttribute")
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        for name in STOPPED_ONLY:
            if f"{name}.Value" in form and instance.state != "stopped":
                raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
        if f"{BEHAVIOUR}.Value" in form:
            value = form[f"{BEHAVIOUR}.Value"]
            if value not in ("stop", "terminate"):
                raise EC2ClientError("InvalidParameterValue", f"{value} for {BEHAVIOUR} is invalid: stop or terminate.")
            self.error_on_dryrun()
            instance.instance_initiated_shutdown_behavior = value
            return EmptyResult()
        return original(self)

    InstanceResponse.modify_instance_attribute = modify_instance_attribute
