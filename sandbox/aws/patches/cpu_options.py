# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance tells its cores and threads, from which its vCPUs follow.

AWS: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CpuOptions.html
moto: leaves CpuOptions out.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPES
    from moto.ec2.models.instances import Instance

    def cpu_options(self: Any) -> dict[str, int] | None:
        known = INSTANCE_TYPES.get(self.instance_type)
        if known is None:
            return None
        cores = known["VCpuInfo"]
        return {"CoreCount": cores["DefaultCores"], "ThreadsPerCore": cores["DefaultThreadsPerCore"]}

    Instance.cpu_options = property(cpu_options)
