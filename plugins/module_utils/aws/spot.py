# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Launches spot instances: templates, one instant fleet, templates away again.

A fleet that launched nothing keeps its token: EC2 answers the same request with the same failure, also hours later. So the fleet's age is
looked at, and an old answer counts as none. A failure that passes is tried again with another fleet (``fleet_again.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet import Fleet, Refusal, fleet, launched, refused
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet_again import Patience, verdict
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import SLOTS, owner_tags, specification
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool

#: Seconds after which a fleet's answer is an old one. A request that is repeated after a lost answer takes less.
FRESH = 90
#: Old fleets of one launch within the day that EC2 knows their tokens: one for each run without capacity, a dozen where EC2 was busy.
_REPLAYS = 100
_THERE = "InvalidLaunchTemplateName.AlreadyExistsException"


class Outcome(NamedTuple):
    """``again``: what was not launched was refused for something that passes."""

    instances: list[tuple[str, Offer]]
    refusals: list[Refusal]
    request_id: Optional[str]
    again: bool = False


class Refused(Exception):
    """A fleet whose launches all failed for something that another offer would not mend; carries EC2's words as botocore's errors do."""

    operation_name = "CreateFleet"

    def __init__(self, refusal: Refusal, refusals: list[Refusal], request_id: Optional[str]) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusals = refusals
        self.request_id = request_id
        error = {"Code": refusal.code, "Message": refusal.message}
        self.response = {"Error": error, "ResponseMetadata": {"RequestId": request_id, "HTTPStatusCode": 400}}


class SpotLaunch:
    """One launch of some slots of a pool.

    :param ended: ids of all instances that these slots had.
    :param requests: each offer with its parameters of RunInstances.
    """

    def __init__(
        self, act: Any, pool: Pool, slots: list[int], ended: set[str], requests: Sequence[tuple[Offer, dict[str, Any]]], least: int
    ) -> None:
        self.act = act
        self.pool = pool
        self.slots = slots
        # Its own: the fleets that are added must not be in the token of another launch, which a run that goes on could not make again.
        self.ended = set(ended)
        tags = {**owner_tags(act.scope, "fleet", pool.name), SLOTS: launch.slots_text(slots)}
        self.fleet: Fleet = fleet(act.scope, act.seen.account_id, tags, requests, len(slots), least, pool.together)

    def run(self) -> Outcome:
        """:raises Refused: nothing was launched, for a reason that is not capacity."""
        for name, data in self.fleet.templates.items():
            self._make(name, data)
        self.act.made.add("launch_template")
        try:
            return self._launch()
        finally:
            for name in self.fleet.templates:
                self._remove(name)

    def _make(self, name: str, data: dict[str, Any]) -> None:
        """The name is the content's hash: one that is there already is the same."""
        tags = owner_tags(self.act.scope, "launch_template", self.pool.name)
        try:
            marked = [specification("launch-template", tags)]
            self.act.call("ec2", "create_launch_template", LaunchTemplateName=name, LaunchTemplateData=data, TagSpecifications=marked)
        except Exception as error:
            if code_of(error) != _THERE:
                raise

    def _remove(self, name: str) -> None:
        try:
            self.act.call("ec2", "delete_launch_template", LaunchTemplateName=name)
        except Exception as error:  # the launch's own outcome counts; the next plan has the template as left over
            if not code_of(error).startswith("InvalidLaunchTemplateName.NotFound"):
                self.act.warnings.append(f"launch template {name} could not be removed ({error}). The next run removes it.")

    def _launch(self) -> Outcome:
        old, patience = 0, Patience()
        while old < _REPLAYS:
            token = launch.token(self.act.scope, self.act.seen.account_id, self.pool.name, self.slots, self.ended, self.fleet.params)
            answer = self.act.call("ec2", "create_fleet", ClientToken=token, **self.fleet.params)
            there, refusals = launched(answer, self.fleet), refused(answer, self.fleet)
            if self._old(answer):
                there = self._alive(there)
                if not there:
                    old += 1
                    self.ended.add(answer["FleetId"])
                    continue
            request_id = answer.get("ResponseMetadata", {}).get("RequestId")
            serious = verdict(refusals, self.act.made, self.act.removed)
            if there or serious.refusal is None:
                return Outcome(there, refusals, request_id, again=bool(serious.seconds))
            pause = patience.pause(time.monotonic(), min(serious.seconds, self.act.intent.control.wait_timeout))
            if pause is None:
                raise Refused(serious.refusal, refusals, request_id)
            time.sleep(pause)
            self.ended.add(answer["FleetId"])  # the same token would have the same answer
        raise StackError(f"pools.{self.pool.name}: EC2 keeps answering with old fleets, {_REPLAYS} times in a day", "Look why they fail")

    def _old(self, answer: dict[str, Any]) -> bool:
        try:
            listed = self.act.reader.client("ec2").describe_fleets(FleetIds=[answer["FleetId"]])["Fleets"]
        except Exception:  # not allowed, or not everywhere yet: what it launched has to be noted all the same
            return False
        if not listed or not isinstance(listed[0].get("CreateTime"), datetime):
            return False
        return age(listed[0]["CreateTime"], answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")) > FRESH

    def _alive(self, there: list[tuple[str, Offer]]) -> list[tuple[str, Offer]]:
        listed = read_instances(self.act.reader, [id for id, _offer in there])
        living = {raw["InstanceId"] for raw in listed if raw["State"]["Name"] not in ENDED}
        return [one for one in there if one[0] in living]


def age(created: datetime, answered: Optional[str]) -> float:
    """Seconds between a fleet's creation and the answer, both by AWS' clock (the answer's Date header); by ours without one."""
    try:
        now = parsedate_to_datetime(answered) if answered else datetime.now(timezone.utc)
    except (TypeError, ValueError):
        now = datetime.now(timezone.utc)
    return (now - created).total_seconds()
