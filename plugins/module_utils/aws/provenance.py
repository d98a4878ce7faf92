# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The token that an instance was launched with: what nobody can put on by tagging.

RunInstances leaves it on the instance. A fleet has it itself, and EC2 marks the fleet's instances with a tag that only EC2 can write
(Amazon EC2 user guide, "EC2 Fleet tutorials": ``aws:ec2:fleet-id``). DescribeFleets lists instant fleets by id only, and nobody says for
how long: an instance can outlive what EC2 remembers of its fleet. For that day it carries a seal, a hash over its own id, which is wrong
on any other instance that our tags are copied to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import LAUNCHED

FLEET = "aws:ec2:fleet-id"
_IDS = 100  # of one DescribeFleets
_UNKNOWN = ("InvalidFleetId.NotFound", "InvalidFleetId.Malformed", "InvalidParameterValue")


def seal(prefix: str, instance_id: str) -> str:
    """:param prefix: of the stack's tokens."""
    return prefix + hashlib.sha256(f"{prefix}{instance_id}".encode()).hexdigest()[:24]


def launched_by(raw: Mapping[str, Any], tags: Mapping[str, str], tokens: Mapping[str, str], prefix: str) -> bool:
    """Whether the stack whose tokens have this prefix launched the instance.

    :param tokens: of the fleets that EC2 knows.
    """
    fleet_id = tags.get(FLEET)
    if fleet_id and fleet_id not in tokens:
        return tags.get(LAUNCHED) == seal(prefix, raw["InstanceId"])
    return token_of(raw, fleet_id, tokens).startswith(prefix)


def fleet_tokens(ec2: Any, fleet_ids: Iterable[str]) -> dict[str, str]:
    """Fleet id → its ClientToken; a fleet that EC2 does not know any more is left out."""
    wanted = sorted(set(fleet_ids))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _IDS):
        for one in _fleets(ec2, wanted[start : start + _IDS]):
            found[one["FleetId"]] = one.get("ClientToken", "")
    return found


def _fleets(ec2: Any, ids: list[str]) -> list[dict[str, Any]]:
    try:
        return ec2.describe_fleets(FleetIds=ids)["Fleets"]
    except Exception as error:
        if code_of(error) not in _UNKNOWN:
            raise
        return [fleet for one in ids for fleet in _fleets(ec2, [one])] if len(ids) > 1 else []


def token_of(raw: Mapping[str, Any], fleet_id: Optional[str], tokens: Mapping[str, str]) -> str:
    """The token of an instance's launch; ``tokens`` are those of the fleets."""
    return tokens.get(fleet_id, "") if fleet_id else raw.get("ClientToken", "") or ""
