# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Instances by their ids, as EC2 lists them now."""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader, unless

ENDED = ("shutting-down", "terminated")


def read_instances(reader: Reader, ids: list[str]) -> list[dict[str, Any]]:
    """Those of the instances that can be seen: an id that is not everywhere yet is left out."""
    raws = []
    for start in range(0, len(ids), 200):  # as many values as a filter takes
        filters = [{"Name": "instance-id", "Values": ids[start : start + 200]}]
        listed = unless(
            ("InvalidInstanceID.NotFound",),
            lambda filters=filters: reader.pages("ec2", "describe_instances", "Reservations", Filters=filters),
            [],
        )
        raws += [raw for one in listed for raw in one["Instances"]]
    return raws
