# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RunInstances refuses what does not exist or does not fit together, before anything is made.

AWS: InvalidAMIID.Malformed, InvalidAMIID.NotFound, InvalidAMIID.Unavailable, InvalidKeyPair.NotFound, InvalidParameterValue for a type
that does not exist or whose architecture is not the image's, Unsupported for a type that the zone does not offer, InvalidParameter for a
group of another network.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: accepts all of these (its optional validations know other codes than AWS).
"""

from __future__ import annotations

import re
from typing import Any

from ..context import CURRENT

IMAGE_ID = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")


def apply() -> None:
    from moto.ec2.models.instances import InstanceBackend

    original = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        if CURRENT.form("RunInstances"):
            image = _checked_image(self, image_id) if image_id else None
            zone, vpc = _place(self, options)
            if not options.get("is_instance_type_default"):
                _check_type(self, options["instance_type"], zone, image)
            if options.get("key_name"):
                self.describe_key_pairs(key_names=[options["key_name"]])
            _check_groups(self, options, vpc)
        return original(self, image_id, count, user_data, security_group_names, **options)

    InstanceBackend.run_instances = run_instances


def _error(code: str, message: str) -> Exception:
    from moto.ec2.exceptions import EC2ClientError

    return EC2ClientError(code, message)


def _checked_image(backend: Any, image_id: str) -> Any:
    if image_id in backend.amis:  # moto's oldest seeds have ids of other lengths
        image = backend.amis[image_id]
        if image.state != "available":
            raise _error("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")
        return image
    if not IMAGE_ID.fullmatch(image_id):
        raise _error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')
    raise _error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")


def _place(backend: Any, options: dict[str, Any]) -> tuple[str | None, str | None]:
    """(zone, VPC id) that the launch goes to, None where the request leaves it open."""
    nics = options.get("nics") or [{}]
    subnet_id = options.get("subnet_id") or nics[0].get("SubnetId")
    if subnet_id:
        subnet = backend.get_subnet(subnet_id)
        return subnet.availability_zone, subnet.vpc_id
    return options.get("placement"), None


def _check_type(backend: Any, name: str, zone: str | None, image: Any) -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

    if name not in INSTANCE_TYPES:
        raise _error("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
    supported = INSTANCE_TYPES[name].get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    if image is not None and image.architecture and supported and image.architecture not in supported:
        raise _error("InvalidParameterValue", (
            f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture "
            f"'{image.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures."))
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name, [])
    offered = {one["Location"] for one in offers if one["InstanceType"] == name}
    if zone and zone not in offered:
        rest = ", ".join(sorted(offered)) or "another region"
        raise _error("Unsupported", f"Your requested instance type ({name}) is not supported in your requested Availability Zone ({zone}). "
                                    f"Please retry your request by not specifying an Availability Zone or choosing {rest}.")


def _check_groups(backend: Any, options: dict[str, Any], vpc: str | None) -> None:
    of_interfaces = [group for nic in options.get("nics") or [] for group in nic.get("Groups") or []]
    for group_id in [*(options.get("security_group_ids") or []), *of_interfaces]:
        group = backend.get_security_group_from_id(group_id) if isinstance(group_id, str) else group_id
        if group is None:
            raise _error("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if vpc and group.vpc_id != vpc:
            raise _error("InvalidParameter", f"Security group {group.id} and the subnet belong to different networks.")
