# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 learns of a new instance profile, or of the role put into it, only after a while.

AWS: IAM is eventually consistent; until then RunInstances answers InvalidParameterValue, as for a profile that does not exist.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (Changes that I make are not always immediately visible),
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshoot-iam.html
moto: knows it at once, and answers NoSuchEntity for one that does not exist.
"""

from __future__ import annotations

import time
from typing import Any

from ..timing import TIMING


def apply() -> None:
    from moto.ec2.responses import instances as responses
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend

    create, add, find = IAMBackend.create_instance_profile, IAMBackend.add_role_to_instance_profile, responses.filter_iam_instance_profiles

    def create_instance_profile(self: Any, *arguments: Any, **options: Any) -> Any:
        profile = create(self, *arguments, **options)
        profile.changed_at = time.monotonic()
        return profile

    def add_role_to_instance_profile(self: Any, profile_name: str, role_name: str) -> None:
        add(self, profile_name, role_name)
        self.get_instance_profile(profile_name).changed_at = time.monotonic()

    def filter_iam_instance_profiles(*arguments: Any, **options: Any) -> Any:
        arn, name = options.get("iam_instance_profile_arn"), options.get("iam_instance_profile_name")
        try:
            profile = find(*arguments, **options)
        except NotFoundException:
            profile = None
        if profile is None or time.monotonic() - getattr(profile, "changed_at", float("-inf")) < TIMING.profile_propagation:
            raise _unknown(arn, name)
        return profile

    IAMBackend.create_instance_profile, IAMBackend.add_role_to_instance_profile = create_instance_profile, add_role_to_instance_profile
    responses.filter_iam_instance_profiles = filter_iam_instance_profiles


def _unknown(arn: str | None, name: str | None) -> Exception:
    from moto.ec2.exceptions import EC2ClientError

    kind, value = ("arn", arn) if arn else ("name", name)
    return EC2ClientError("InvalidParameterValue", (
        f"Value ({value}) for parameter iamInstanceProfile.{kind} is invalid. Invalid IAM Instance Profile {'ARN' if arn else 'name'}"))
