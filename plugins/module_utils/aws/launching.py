# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out the launches of a plan: all requests at once, then one poll for all until they run.

A launch has succeeded at ``running``. EC2 may accept one and end it a moment later with a StateReason: a failure like an error code.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Ref

ENDED = ("shutting-down", "terminated")
#: Refused for a day after the launch's instances ended, of which they are listed for an hour: so many of these may have to be passed.
_SPENT = "IdempotentInstanceTerminated"
_REPLAYS = 30


class Launching:
    """One run's launches. ``act`` is told the id and address of every slot."""

    def __init__(self, act: Any, changes: list[Change]) -> None:
        self.act = act
        self.batches = launch.batches(changes)
        self.slot_of: dict[str, Change] = {}  # instance id → its change

    def run(self) -> None:
        results = self.act.reader.together(*[lambda batch=batch: self._attempt(batch) for batch in self.batches])
        failures = [one for one in results if isinstance(one, Exception)]
        if self.slot_of:
            self._wait()
        if failures:
            raise failures[0]

    def _attempt(self, batch: list[Change]) -> Any:
        """The exception instead of raising it: the other launches have to be waited for all the same."""
        try:
            return self._launch(batch)
        except Exception as error:
            return error

    def _launch(self, batch: list[Change]) -> None:
        act, pool = self.act, batch[0].wish.make["pool"]
        slots = [change.wish.make["slot"] for change in batch]
        params = launch.request(batch, act.id)
        ended = {
            found.id
            for found in act.seen.of("instance")
            if found.facts["pool"] == pool.name and set(found.facts["slots"]) & set(slots) and not found.owned
        }
        for _attempt in range(_REPLAYS):
            token = launch.token(act.scope, act.seen.account_id, pool.name, slots, ended, params)
            try:
                raws = act.call("ec2", "run_instances", ClientToken=token, **params)["Instances"]
            except Exception as error:
                if code_of(error) != _SPENT:
                    raise
                ended.add(token)  # its instances are no longer listed, so the token itself stands for them
                continue
            gone = [raw["InstanceId"] for raw in raws if raw["State"]["Name"] in ENDED]
            if not gone:
                act.made.add("instance")
                self._note(batch, raws)
                return
            # EC2 still knew this token from a launch whose instances have ended since: they count as seen now, which makes another token.
            ended |= set(gone)
        raise StackError(
            f"pools.{pool.name}: EC2 keeps answering with instances that have ended, {_REPLAYS} times in a day", "Look why they end"
        )

    def _note(self, batch: list[Change], raws: list[dict[str, Any]]) -> None:
        for raw in raws:
            change = batch[int(raw.get("AmiLaunchIndex", 0))]
            change.id = raw["InstanceId"]
            self.act.ids[Ref("instance", change.name)] = raw["InstanceId"]
            self.act.tell(change, private_ip=raw.get("PrivateIpAddress"))
            self.slot_of[raw["InstanceId"]] = change

    def _wait(self) -> None:
        """:raises StackError: an instance ended before it ran, or wait_timeout passed."""
        waiting = set(self.slot_of)
        failed: list[dict[str, Any]] = []

        def done() -> bool:
            for raw in read_instances(self.act.reader, sorted(waiting)):
                change = self.slot_of[raw["InstanceId"]]
                if raw["State"]["Name"] in ENDED:
                    failed.append(raw)
                elif raw["State"]["Name"] != "running":
                    continue
                self.act.tell(change, private_ip=raw.get("PrivateIpAddress"))
                waiting.discard(raw["InstanceId"])
            return not waiting

        self.act.wait(f"launching {len(waiting)} instances", done)
        if failed:
            for raw in failed:
                del self.act.ids[Ref("instance", self.slot_of[raw["InstanceId"]].name)]
            raise launch_failed(self.slot_of[failed[0]["InstanceId"]].wish.make["pool"].name, failed)


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


def launch_failed(pool: str, raws: list[dict[str, Any]]) -> StackError:
    """For instances that EC2 accepted and then ended before they ran."""
    reasons = sorted({f"{raw.get('StateReason', {}).get('Code', '?')}: {raw.get('StateReason', {}).get('Message', '?')}" for raw in raws})
    return StackError(
        f"pools.{pool}: {len(raws)} of its instances were accepted and ended before they ran "
        f"({', '.join(raw['InstanceId'] for raw in raws)}): {'; '.join(reasons)}",
        "Mend the cause (capacity, key of the disk, quota) and run again: their slots are filled anew",
        path=f"pools.{pool}",
        state_reasons=reasons,
    )
