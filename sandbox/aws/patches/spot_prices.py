# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spot costs a part of the On-Demand price, another one in each zone.

AWS: the price is set by Amazon EC2, differs by type and zone, and never exceeds the On-Demand price.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-history.html
moto: 0.00001 USD for everything, in force since 2006. Here: of the collection's table of On-Demand prices 38 % and 1 % more in each further
zone; types that are not in the table cost 0.0125 USD for each vCPU. Invented prices, always the same: only their order means something.
"""

from __future__ import annotations

import time
from typing import Any

from ...hosts.gpu_types import gpu_of

SHARE, STEP = 0.38, 0.01
USD_PER_VCPU = 0.0125


def spot_price(name: str, zone: str) -> float | None:
    """USD an hour; None where the type is not sold."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    gpu = gpu_of(name)
    if gpu is not None:
        return None if gpu.usd_per_hour is None else gpu.usd_per_hour * (SHARE + STEP * (ord(zone[-1]) - ord("a")))
    known = INSTANCE_TYPES.get(name)
    return USD_PER_VCPU * known["VCpuInfo"]["DefaultVCpus"] if known else None


def apply() -> None:
    from moto.core.responses import ActionResult
    from moto.ec2.responses.spot_instances import SpotInstances

    def describe_spot_price_history(self: Any) -> Any:
        offered = self.ec2_backend.describe_spot_price_history(self._get_param("InstanceTypes", []), self._filters_from_querystring())
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        history = [
            {"InstanceType": one["InstanceType"], "AvailabilityZone": one["Location"], "ProductDescription": "Linux/UNIX",
             "SpotPrice": f"{usd:.6f}", "Timestamp": now}
            for one in offered
            if (usd := spot_price(one["InstanceType"], one["Location"])) is not None
        ]
        return ActionResult({"SpotPriceHistory": history})

    SpotInstances.describe_spot_price_history = describe_spot_price_history
