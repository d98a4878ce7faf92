# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Launches spot instances: templates, one instant fleet, templates away again.

A fleet that launched nothing keeps its token: EC2 answers the same request with the same failure, also hours later. So the fleet's age is
looked at, and an old answer counts as none: the next token has in it when this attempt began, to some minutes, so that a day without
capacity is no chain of old fleets to go through. A failure that passes is tried again with another fleet (``fleet_again.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import fleet_answer, launch
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet import Fleet, Refusal, fleet
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet_again import Patience, verdict
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet_answer import Answer, read
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import SLOTS, owner_tags, specification
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool

#: Fleets of one launch: old ones of this attempt's minutes, a dozen where EC2 was busy.
_REPLAYS = 100
_PERIOD = 600  # seconds of attempts that have the same tokens: a failure that cannot be dated is at most that old
_LISTED = 15.0  # seconds until DescribeInstances shows what was launched
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
        begun = [self._make(name, data) for name, data in self.fleet.templates.items()]
        self.act.made.add("launch_template")
        try:
            return self._launch(min((one for one in begun if one is not None), default=datetime.now(timezone.utc)))
        finally:
            for name in self.fleet.templates:
                self._remove(name)

    def _make(self, name: str, data: dict[str, Any]) -> Optional[datetime]:
        """When it was made, where EC2 says. The name is the content's hash: one that is there already is the same."""
        tags = owner_tags(self.act.scope, "launch_template", self.pool.name)
        try:
            marked = [specification("launch-template", tags)]
            made = self.act.call(
                "ec2", "create_launch_template", LaunchTemplateName=name, LaunchTemplateData=data, TagSpecifications=marked
            )["LaunchTemplate"]
        except Exception as error:
            if code_of(error) != _THERE:
                raise
            named = [{"Name": "launch-template-name", "Values": [name]}]
            made = next(iter(self.act.reader.pages("ec2", "describe_launch_templates", "LaunchTemplates", Filters=named)), {})
        return made.get("CreateTime")

    def _remove(self, name: str) -> None:
        try:
            self.act.call("ec2", "delete_launch_template", LaunchTemplateName=name)
        except Exception as error:  # the launch's own outcome counts; the next plan has the template as left over
            if not code_of(error).startswith("InvalidLaunchTemplateName.NotFound"):
                self.act.warnings.append(f"launch template {name} could not be removed ({error}). The next run removes it.")

    def _launch(self, begun: datetime) -> Outcome:
        this, patience, last = attempt(begun), Patience(), Outcome([], [], None)
        for _fleet in range(_REPLAYS):
            token = launch.token(self.act.scope, self.act.seen.account_id, self.pool.name, self.slots, self.ended, self.fleet.params)
            answer = read(self.act, self.act.call("ec2", "create_fleet", ClientToken=token, **self.fleet.params), self.fleet)
            there, last = answer.there, Outcome([], answer.refusals, answer.request_id)
            if old(answer, this in self.ended):
                there = there if answer.age is None else self._alive(there)
                if not there:
                    self.ended |= {answer.fleet_id, this}
                    continue
            serious = verdict(answer.refusals, self.act.made, self.act.removed)
            if there or serious.refusal is None:
                if this in self.ended:
                    self._until_listed(there)
                return last._replace(instances=there, again=bool(serious.seconds))
            pause = patience.pause(time.monotonic(), min(serious.seconds, self.act.intent.control.wait_timeout))
            if pause is None:
                raise Refused(serious.refusal, answer.refusals, answer.request_id)
            time.sleep(pause)
            self.ended.add(answer.fleet_id)  # the same token would have the same answer
        self.act.warnings.append(
            f"pools.{self.pool.name}: EC2 answered {_REPLAYS} times with old fleets, so spot was given up in this run."
        )
        return last

    def _until_listed(self, there: list[tuple[str, Offer]]) -> None:
        """The template, which says when the attempt began, stays until a next run would see what was launched."""
        wanted, deadline = {id for id, _offer in there}, time.monotonic() + _LISTED
        while not wanted <= {raw["InstanceId"] for raw in read_instances(self.act.reader, sorted(wanted))}:
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)

    def _alive(self, there: list[tuple[str, Offer]]) -> list[tuple[str, Offer]]:
        listed = read_instances(self.act.reader, [id for id, _offer in there])
        living = {raw["InstanceId"] for raw in listed if raw["State"]["Name"] not in ENDED}
        return [one for one in there if one[0] in living]


def old(answer: Answer, marked: bool) -> bool:
    """Whether a fleet is not of this attempt, so that its failure says nothing of now.

    :param marked: the attempt is in the request's token: then a fleet of unknown age is some minutes old at most.
    """
    if answer.age is None:
        return not answer.there and not marked
    return answer.age > fleet_answer.FRESH


def attempt(begun: datetime) -> str:
    """What is in the tokens of all fleets of an attempt, once an old one was met.

    :param begun: when its template was made. A run that goes on after a kill finds the template, and so comes to the same tokens.
    """
    return f"attempt {int(begun.timestamp()) // _PERIOD}"
