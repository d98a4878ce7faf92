# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public SSM parameters of the image publishers exist.

AWS: /aws/service/debian/…, /aws/service/canonical/… and /aws/service/deeplearning/… hold image ids and can be read by every account.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
moto: knows Amazon Linux and ECS only, and put_parameter refuses the /aws/service tree.
"""

from __future__ import annotations

from typing import Any

from ..seeds import IMAGES

TREES = ("/aws/service/debian", "/aws/service/canonical", "/aws/service/deeplearning")


def apply() -> None:
    from moto.core.parse import default_timestamp_parser
    from moto.ssm import models

    original = models.ParameterDict._check_loading_status

    def check(self: Any, key: str) -> None:
        original(self, key)
        if not str(key or "").startswith(TREES) or getattr(self, "publishers_loaded", False):
            return
        self.publishers_loaded = True
        for image in IMAGES:
            if image.parameter:
                dict.setdefault(self, image.parameter, []).append(models.Parameter(
                    account_id=self.account_id, name=image.parameter, value=image.id(self.region_name), parameter_type="String",
                    description=None, allowed_pattern=None, keyid=None, version=1, data_type="aws:ec2:image",
                    last_modified_date=default_timestamp_parser(image.created),
                ))

    models.ParameterDict._check_loading_status = check
