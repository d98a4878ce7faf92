# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The name of a MIG device's profile. nvidia-smi -q -x has sizes and no name; nvidia-smi -L, which has names, would be one more program.

Names, and fractions of memory and multiprocessors: NVIDIA MIG User Guide, "Supported MIG Profiles"; multiprocessors of an instance as
`nvidia-smi mig -lgip` lists them for A100 and H100 (the same guide, "Getting Started with MIG"); profiles of the B300:
https://github.com/aws/sagemaker-hyperpod-cli.
"""

from __future__ import annotations

# Memory of the whole GPU in MiB, about, and the gigabytes that the names have for 1/8, 2/8, 4/8 and all of it.
EIGHTHS = (0.125, 0.25, 0.5, 1.0)
SIZES = {
    40960: (5, 10, 20, 40),
    81920: (10, 20, 40, 80),
    144384: (18, 35, 71, 141),
    183359: (23, 45, 90, 180),
    275040: (34, 67, 135, 269),
}
# How far a figure may be from these: the driver keeps a part of the memory, of an instance more than of the whole.
NEAR_GPU, NEAR_PART = 0.04, 0.15
# Multiprocessors of an instance -> slices.
SLICES = {
    "a100": {14: 1, 28: 2, 42: 3, 56: 4, 98: 7},
    "h100": {16: 1, 32: 2, 60: 3, 64: 4, 132: 7},
    "h200": {16: 1, 32: 2, 60: 3, 64: 4, 132: 7},
}
# Slices that an instance with this part of the memory can have.
POSSIBLE = {0.125: (1,), 0.25: (1, 2), 0.5: (3, 4), 1.0: (7,)}


def profile(model, total_mib, part_mib, multiprocessors):
    """'1g.5gb', or '1c.7g.40gb' of a part of an instance; None where the figures do not tell.

    model: as in devices.py. An A30 and workstation GPUs, which are cut in quarters, are not named, nor is an instance with more than one
    slice of a GPU whose multiprocessors are not in the table.
    """
    if not total_mib or not part_mib or part_mib > total_mib:
        return None
    names = next((SIZES[size] for size in SIZES if abs(total_mib - size) <= NEAR_GPU * size), None)
    part = next((eighth for eighth in EIGHTHS if abs(part_mib / total_mib - eighth) <= NEAR_PART * eighth), None)
    if names is None or part is None or model not in ("a100", "h100", "h200", "b200", "b300"):
        return None
    possible, known = POSSIBLE[part], SLICES.get(model, {}).get(multiprocessors)
    size = "%dgb" % names[EIGHTHS.index(part)]
    if known in possible:
        return "%dg.%s" % (known, size)
    if len(possible) > 1:
        return None
    # The memory tells the instance; fewer multiprocessors than it has are a compute instance that is a part of it.
    if possible[0] == 1:
        return "1g.%s" % size
    return "%dc.%dg.%s" % (known, possible[0], size) if known is not None and known < possible[0] else None
