# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What an instant fleet has launched, by all that EC2 says of it.

AWS promises one effect for one token, and not that a repeated request is answered as the first one was: an answer without instances is
taken for a failure only when DescribeFleets and the tag that EC2 puts on a fleet's instances say no more.
Sources: Amazon EC2 API reference, "Ensuring idempotency", DescribeFleetsInstances ("Valid only when Type is set to instant"); Amazon EC2
user guide, "EC2 Fleet tutorials" (``aws:ec2:fleet-id``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import Unanswered, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet import Fleet, Refusal, launched, refused
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.provenance import FLEET
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer

#: Seconds after which a fleet's answer is an old one. A request that is repeated after a lost answer, also by the next run, takes less,
#: even when the launch was tried again for as long as a new profile may need (propagation.py).
FRESH = 180
_LOOK = 15.0  # seconds to look for what a fleet did that says nothing of it
_DATED = 5.0  # seconds until a new fleet can be described, and its age be known in this run as in the next
_PAUSE = 1.0
_NOT_YET = "InvalidFleetId.NotFound"


class Answer(NamedTuple):
    """``age``: seconds since the fleet was made, None where nobody says."""

    fleet_id: str
    there: list[tuple[str, Offer]]
    refusals: list[Refusal]
    request_id: Optional[str]
    age: Optional[float]


def read(act: Any, answer: Mapping[str, Any], made: Fleet) -> Answer:
    """:raises Unanswered: the fleet is new, and nobody says what it launched."""
    fleet_id, request_id = answer["FleetId"], answer.get("ResponseMetadata", {}).get("RequestId")
    began = time.monotonic()
    while True:
        described, why = _described(act, fleet_id)
        aged = _aged(described, answer)
        there = launched(answer, made) or launched(described, made) or launched(tagged(act, fleet_id), made)
        refusals = refused(answer, made) or refused(described, made)
        over = time.monotonic() + _PAUSE - began
        dated = aged is not None or _NOT_YET not in why or over > _DATED
        if there or (refusals and dated) or (aged is not None and aged > FRESH):
            return Answer(fleet_id, there, refusals, request_id, aged)
        if over > min(_LOOK, act.intent.control.wait_timeout):
            raise Unanswered(
                f"EC2 does not say what the fleet {fleet_id} launched{f' ({why})' if why else ''}: "
                "no other offer was tried, since it may have launched all",
                "Run again in some minutes: what it launched is found and kept",
                request_id=request_id,
            )
        time.sleep(_PAUSE)


def _described(act: Any, fleet_id: str) -> tuple[dict[str, Any], str]:
    """(the fleet as DescribeFleets has it, empty where it says nothing; why)."""
    try:
        listed = act.reader.client("ec2").describe_fleets(FleetIds=[fleet_id])["Fleets"]
    except Exception as error:  # not allowed, not everywhere yet, forgotten: what it launched has to be noted all the same
        return {}, f"ec2:DescribeFleets: {code_of(error) or type(error).__name__}"
    return (listed[0] if listed else {}), ""


def tagged(act: Any, fleet_id: str) -> dict[str, Any]:
    """The instances that EC2 has marked as the fleet's, in the form of a fleet's answer."""
    filters = [{"Name": f"tag:{FLEET}", "Values": [fleet_id]}]
    listed = act.reader.pages("ec2", "describe_instances", "Reservations", Filters=filters)
    return {"Instances": as_launched(raw for one in listed for raw in one["Instances"])}


def as_launched(raws: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Instances of DescribeInstances as CreateFleet's answer would have them, each by itself."""
    return [
        {
            "InstanceIds": [raw["InstanceId"]],
            "InstanceType": raw["InstanceType"],
            "SubnetId": raw.get("SubnetId", ""),
            "AvailabilityZone": (raw.get("Placement") or {}).get("AvailabilityZone"),
        }
        for raw in raws
    ]


def _aged(described: Mapping[str, Any], answer: Mapping[str, Any]) -> Optional[float]:
    created = described.get("CreateTime")
    answered = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return age(created, answered) if isinstance(created, datetime) else None


def age(created: datetime, answered: Optional[str]) -> float:
    """Seconds between a fleet's creation and the answer, both by AWS' clock (the answer's Date header); by ours without one."""
    try:
        now = parsedate_to_datetime(answered) if answered else datetime.now(timezone.utc)
    except (TypeError, ValueError):
        now = datetime.now(timezone.utc)
    return (now - created).total_seconds()
