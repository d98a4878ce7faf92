# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first spot launch of an account makes the service-linked role of spot.

AWS: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
moto: makes none.
"""

from __future__ import annotations

import json
from typing import Any

SERVICE, NAME = "spot.amazonaws.com", "AWSServiceRoleForEC2Spot"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}],
}


def apply() -> None:
    from moto.ec2.models.instances import InstanceBackend
    from moto.iam.models import iam_backends
    from moto.utilities.utils import get_partition

    original = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        reservation = original(self, image_id, count, user_data, security_group_names, **options)
        iam = iam_backends[self.account_id][get_partition(self.region_name)]
        spot = any(instance.lifecycle == "spot" for instance in reservation.instances)
        if spot and NAME not in [role.name for role in iam.roles.values()]:
            iam.create_role(
                role_name=NAME, assume_role_policy_document=json.dumps(TRUST), path=f"/aws-service-role/{SERVICE}/",
                permissions_boundary=None, description="", tags=[], max_session_duration="3600", linked_service=SERVICE,
            )
        return reservation

    InstanceBackend.run_instances = run_instances
