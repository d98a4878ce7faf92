# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter values of DescribeInstances may have wildcards, as for all types of a family.

AWS: ``*`` stands for any characters and ``?`` for one, https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
moto: takes them literally here.
"""

from __future__ import annotations

import fnmatch
from typing import Any


def apply() -> None:
    from moto.ec2 import utils

    original = utils.instance_value_in_filter_values

    def matches(value: Any, wanted: Any) -> bool:
        if original(value, wanted):
            return True
        values = value if isinstance(value, list) else [value]
        wild = [one for one in wanted if "*" in one or "?" in one]
        return any(isinstance(one, str) and fnmatch.fnmatchcase(one, pattern) for one in values for pattern in wild)

    utils.instance_value_in_filter_values = matches
