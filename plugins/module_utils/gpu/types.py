# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""EC2 instance types with NVIDIA GPUs, as a table.

Sources: types, GPU counts and memory from the Karpenter AWS provider's instance-type reference (which reads
EC2 DescribeInstanceTypes), 2026-08; compute capability, NVSwitch and NVLSM from NVIDIA's architecture
documentation; prices from the AWS price list for us-east-1 (Linux, on demand) generated 2026-07-20.
"""

from __future__ import annotations

from typing import NamedTuple


class GpuType(NamedTuple):
    """What one EC2 instance type offers.

    ``memory_mib`` is per GPU as the API reports it (a little below the nominal size). ``count`` is 0 and
    ``fractional`` true where the type has a slice of a GPU. ``usd_per_hour`` is us-east-1, on demand.
    """

    model: str
    count: int
    memory_mib: int
    compute_capability: str
    efa: int
    nvswitch: bool
    nvlsm: bool
    fractional: bool
    usd_per_hour: float


# type: (model, count, memory_mib, compute_capability, efa, nvswitch, nvlsm, fractional, usd_per_hour)
_ROWS = {
    "g4dn.xlarge": ("t4", 1, 16384, "7.5", 0, False, False, False, 0.526),
    "g4dn.2xlarge": ("t4", 1, 16384, "7.5", 0, False, False, False, 0.752),
    "g4dn.4xlarge": ("t4", 1, 16384, "7.5", 0, False, False, False, 1.204),
    "g4dn.8xlarge": ("t4", 1, 16384, "7.5", 1, False, False, False, 2.176),
    "g4dn.12xlarge": ("t4", 4, 16384, "7.5", 1, False, False, False, 3.912),
    "g4dn.16xlarge": ("t4", 1, 16384, "7.5", 1, False, False, False, 4.352),
    "g4dn.metal": ("t4", 8, 16384, "7.5", 1, False, False, False, 7.824),
    "g5.xlarge": ("a10g", 1, 22888, "8.6", 0, False, False, False, 1.006),
    "g5.2xlarge": ("a10g", 1, 22888, "8.6", 0, False, False, False, 1.212),
    "g5.4xlarge": ("a10g", 1, 22888, "8.6", 0, False, False, False, 1.624),
    "g5.8xlarge": ("a10g", 1, 22888, "8.6", 1, False, False, False, 2.448),
    "g5.12xlarge": ("a10g", 4, 22888, "8.6", 1, False, False, False, 5.672),
    "g5.16xlarge": ("a10g", 1, 22888, "8.6", 1, False, False, False, 4.096),
    "g5.24xlarge": ("a10g", 4, 22888, "8.6", 1, False, False, False, 8.144),
    "g5.48xlarge": ("a10g", 8, 22888, "8.6", 1, False, False, False, 16.288),
    "g5g.xlarge": ("t4g", 1, 16384, "7.5", 0, False, False, False, 0.42),
    "g5g.2xlarge": ("t4g", 1, 16384, "7.5", 0, False, False, False, 0.556),
    "g5g.4xlarge": ("t4g", 1, 16384, "7.5", 0, False, False, False, 0.828),
    "g5g.8xlarge": ("t4g", 1, 16384, "7.5", 0, False, False, False, 1.372),
    "g5g.16xlarge": ("t4g", 2, 16384, "7.5", 0, False, False, False, 2.744),
    "g5g.metal": ("t4g", 2, 16384, "7.5", 0, False, False, False, 2.744),
    "g6.xlarge": ("l4", 1, 22888, "8.9", 0, False, False, False, 0.8048),
    "g6.2xlarge": ("l4", 1, 22888, "8.9", 0, False, False, False, 0.9776),
    "g6.4xlarge": ("l4", 1, 22888, "8.9", 0, False, False, False, 1.3232),
    "g6.8xlarge": ("l4", 1, 22888, "8.9", 1, False, False, False, 2.0144),
    "g6.12xlarge": ("l4", 4, 22888, "8.9", 1, False, False, False, 4.6016),
    "g6.16xlarge": ("l4", 1, 22888, "8.9", 1, False, False, False, 3.3968),
    "g6.24xlarge": ("l4", 4, 22888, "8.9", 1, False, False, False, 6.6752),
    "g6.48xlarge": ("l4", 8, 22888, "8.9", 1, False, False, False, 13.3504),
    "g6e.xlarge": ("l40s", 1, 45776, "8.9", 0, False, False, False, 1.861),
    "g6e.2xlarge": ("l40s", 1, 45776, "8.9", 0, False, False, False, 2.24208),
    "g6e.4xlarge": ("l40s", 1, 45776, "8.9", 0, False, False, False, 3.00424),
    "g6e.8xlarge": ("l40s", 1, 45776, "8.9", 1, False, False, False, 4.52856),
    "g6e.12xlarge": ("l40s", 4, 45776, "8.9", 1, False, False, False, 10.49264),
    "g6e.16xlarge": ("l40s", 1, 45776, "8.9", 1, False, False, False, 7.57719),
    "g6e.24xlarge": ("l40s", 4, 45776, "8.9", 2, False, False, False, 15.06559),
    "g6e.48xlarge": ("l40s", 8, 45776, "8.9", 4, False, False, False, 30.13118),
    "g6f.large": ("l4", 0, 2861, "8.9", 0, False, False, True, 0.202),
    "g6f.xlarge": ("l4", 0, 2861, "8.9", 0, False, False, True, 0.2375),
    "g6f.2xlarge": ("l4", 0, 5722, "8.9", 0, False, False, True, 0.475),
    "g6f.4xlarge": ("l4", 0, 11444, "8.9", 0, False, False, True, 0.95),
    "g7.2xlarge": ("rtx-pro-4500", 1, 32768, "12.0", 0, False, False, False, 2.52),
    "g7.4xlarge": ("rtx-pro-4500", 1, 32768, "12.0", 0, False, False, False, 3.04208),
    "g7.8xlarge": ("rtx-pro-4500", 1, 32768, "12.0", 1, False, False, False, 4.08624),
    "g7.12xlarge": ("rtx-pro-4500", 2, 32768, "12.0", 1, False, False, False, 7.12832),
    "g7.24xlarge": ("rtx-pro-4500", 4, 32768, "12.0", 1, False, False, False, 14.25664),
    "g7.48xlarge": ("rtx-pro-4500", 8, 32768, "12.0", 2, False, False, False, 28.51328),
    "g7e.2xlarge": ("rtx-pro-server-6000", 1, 98304, "12.0", 0, False, False, False, 3.36312),
    "g7e.4xlarge": ("rtx-pro-server-6000", 1, 98304, "12.0", 0, False, False, False, 3.99816),
    "g7e.8xlarge": ("rtx-pro-server-6000", 1, 98304, "12.0", 1, False, False, False, 5.26824),
    "g7e.12xlarge": ("rtx-pro-server-6000", 2, 98304, "12.0", 1, False, False, False, 8.28608),
    "g7e.24xlarge": ("rtx-pro-server-6000", 4, 98304, "12.0", 2, False, False, False, 16.57216),
    "g7e.48xlarge": ("rtx-pro-server-6000", 8, 98304, "12.0", 4, False, False, False, 33.14432),
    "gr6.4xlarge": ("l4", 1, 22888, "8.9", 0, False, False, False, 1.5392),
    "gr6.8xlarge": ("l4", 1, 22888, "8.9", 1, False, False, False, 2.4464),
    "gr6f.4xlarge": ("l4", 0, 11444, "8.9", 0, False, False, True, 1.066),
    "p3dn.24xlarge": ("v100", 8, 32768, "7.0", 1, False, False, False, 31.212),
    "p4d.24xlarge": ("a100", 8, 40960, "8.0", 4, True, False, False, 21.957642),
    "p4de.24xlarge": ("a100", 8, 81920, "8.0", 4, True, False, False, 27.44705),
    "p5.4xlarge": ("h100", 1, 81920, "9.0", 1, False, False, False, 6.88),
    "p5.48xlarge": ("h100", 8, 81920, "9.0", 32, True, False, False, 55.04),
    "p5e.48xlarge": ("h200", 8, 144384, "9.0", 32, True, False, False, None),
    "p5en.48xlarge": ("h200", 8, 144384, "9.0", 16, True, False, False, 63.296),
    "p6-b200.48xlarge": ("b200", 8, 183359, "10.0", 8, True, True, False, 113.9328),
    "p6-b300.48xlarge": ("b300", 8, 275040, "10.3", 16, True, True, False, 142.416),
}

GPU_TYPES: dict[str, GpuType] = {name: GpuType(*row) for name, row in _ROWS.items()}

# Memory as people write it (nominal GiB) by what the API reports for one GPU (MiB). The API reports less than the
# nominal size of several models, so wishes are matched on these and never on the reported figure.
NOMINAL_MEMORY_GIB: dict[int, tuple[int, ...]] = {
    16384: (16,),
    22888: (24,),
    32768: (32,),
    40960: (40,),
    45776: (48,),
    81920: (80,),
    98304: (96,),
    144384: (141,),
    183359: (180, 192),
    275040: (288,),
}
