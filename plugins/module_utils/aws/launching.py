# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out the launches of a plan: the pools at the same time, each through its offers, then one poll for all until they run.

A launch has succeeded at ``running``. EC2 may accept one and end it a moment later with a StateReason: that is judged like an error code,
and the slot goes on to the next offer.
"""

from __future__ import annotations

import collections
import itertools
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch, schedule, volumes
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of, explain, message_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet import Refusal
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet_again import UNFIT, UNTRIED, untried
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.provenance import seal
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.spot import Refused, SpotLaunch
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import LAUNCHED, SLOT, to_list, token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import STOP, decided
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import instance_store_gib
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Ref

#: Refused for a day after the launch's instances ended, of which they are listed for an hour: so many of these may have to be passed.
_SPENT = "IdempotentInstanceTerminated"
_REPLAYS = 30
_UNEXPLAINED = 5  # so often an instance that is gone is asked why
_USED_UP = ("ReservationCapacityExceeded", "InsufficientReservedInstanceCapacity")


class Batch:
    """Slots of one pool that have the same offers, or the same of spot and those first. ``open`` are those without an instance."""

    def __init__(self, changes: list[Change], ended: set[str]) -> None:
        self.open = changes
        self.pool = changes[0].wish.make["pool"]
        self.offers: tuple[Offer, ...] = changes[0].wish.make["offers"]
        self.names = {change.name for change in changes} | set(changes[0].wish.make["members"])  # all that the pool can have now
        self.ended = ended  # ids of all instances that these slots had
        self.asked: set[Offer] = set()  # spot offers that a fleet had before it, and launched less than was wanted
        self.failure: Optional[Exception] = None


class Launching:
    """One run's launches. ``act`` is told the id and address of every slot."""

    def __init__(self, act: Any, changes: list[Change]) -> None:
        self.act = act
        self.search = act.search
        self.batches = [Batch(batch, self._seen_ended(batch)) for batch in launch.batches(changes)]
        self.launched: dict[str, tuple[Change, Offer, Batch]] = {}  # by instance id
        self.kept: dict[str, list[str]] = {}  # by instance id: volumes that stay when it ends, of which EC2 says nothing any more then

    def run(self) -> None:
        """:raises StackError: a pool has fewer instances than it needs; all that was launched runs, or has ended."""
        while True:
            self.act.reader.together(*[lambda batch=batch: self._attempt(batch) for batch in self.batches if batch.open])
            more, late = self._wait()
            if late is not None or not more:
                break
        failures = [batch.failure for batch in self.batches if batch.failure is not None]
        if failures:
            raise failures[0] if late is None else self._both(failures[0], late)
        if late is not None:
            raise late
        for pool in {batch.pool.name: batch.pool for batch in self.batches}.values():
            self._enough(pool)

    def _both(self, failure: Exception, late: StackError) -> StackError:
        """A pool's failure, and that others took too long: the one must not hide the other."""
        told = explain(failure, self.act.reader.clients.call_of(failure))
        text = f"{told.text.rstrip('.')}; and {late.text}"
        return StackError(text, told.hint, told.code, told.request_id, **told.details)

    def _seen_ended(self, changes: list[Change]) -> set[str]:
        pool, slots = changes[0].wish.make["pool"].name, {change.wish.make["slot"] for change in changes}
        return {
            found.id
            for found in self.act.seen.of("instance")
            if found.facts["pool"] == pool and set(found.facts["slots"]) & slots and not found.owned
        }

    def _attempt(self, batch: Batch) -> None:
        """Go through the offers until no slot is open; an exception is kept, since the other launches have to be waited for first."""
        try:
            for spot, group in itertools.groupby(batch.offers, key=lambda offer: offer.market == "spot"):
                if spot:
                    self._launch_spot(batch, list(group))
                    if len(launch.apart(batch.open)) > 1:
                        self._split(batch)
                        return
                    continue
                for offer in group:
                    if self._worth(batch, offer):
                        self._launch(batch, offer)
        except Exception as error:
            batch.failure = error

    def _split(self, batch: Batch) -> None:
        """What no fleet could have goes on as batches of their own, each through its offers."""
        parts = [Batch(changes, batch.ended) for changes in launch.apart(batch.open)]
        batch.open = []
        for part in parts:
            part.asked = batch.asked
            self.batches.append(part)
            self._attempt(part)

    def _worth(self, batch: Batch, offer: Offer) -> bool:
        """Whether an offer is to be tried now."""
        wanted = bool(batch.open) and batch.failure is None and offer not in batch.asked
        return wanted and self.search.against(offer) is None and self._zone_fits(batch, offer)

    def _zone_fits(self, batch: Batch, offer: Offer) -> bool:
        """Whether the offer is in the zone of those that a pool in one zone has got by now."""
        if not batch.pool.together:
            return True
        zones = {one.zone for _change, one, mine in list(self.launched.values()) if mine is batch}  # other threads add to it
        return not zones or offer.zone in zones

    def _least(self, batch: Batch) -> int:
        """How many of the open slots a request has to fill: for a pool in one zone, as many as the pool needs at least."""
        if not batch.pool.together:
            return 1
        return min(len(batch.open), max(1, batch.pool.least - self._have(batch.pool)))

    def _have(self, pool: Any) -> int:
        """How many instances the pool has by now. A slot that stays empty, as its lease is over, is none."""
        names = set().union(*(batch.names for batch in self.batches if batch.pool.name == pool.name))
        return sum(Ref("instance", name) in self.act.ids for name in names)

    def _launch(self, batch: Batch, offer: Offer) -> None:
        """One request for all open slots; what EC2 says of its capacity is noted, all else is raised."""
        act, pool = self.act, batch.pool
        most: Optional[int] = None  # as many as still fit into the reservation
        for _attempt in range(_REPLAYS):
            slots = [change.wish.make["slot"] for change in batch.open]
            params = launch.request(batch.open, offer, self._least(batch), act.id)
            if most is not None:
                params["MaxCount"] = min(most, params["MaxCount"])
            token = launch.token(act.scope, act.seen.account_id, pool.name, slots, batch.ended, params)
            try:
                answer = act.call("ec2", "run_instances", ClientToken=token, **params)
            except Exception as error:
                code, request = code_of(error), _request_id(getattr(error, "response", None))
                if code == _SPENT:
                    batch.ended.add(token)  # its instances are no longer listed, so the token itself stands for them
                    continue
                if most is None and code in _USED_UP and params["MinCount"] <= (offer.available or 0) < params["MaxCount"]:
                    # Not sooner: what is free in it is another number in the next run, and so would be the token.
                    most = offer.available
                    continue
                if decided(code):
                    self.search.failed(offer, code, message_of(error), request)
                    return
                self.search.failed(offer, code or type(error).__name__, message_of(error), request)
                raise
            raws = answer["Instances"]
            gone = {raw["InstanceId"] for raw in raws if raw["State"]["Name"] in ENDED}
            if len(gone) < len(raws):
                self.search.taken(offer, _request_id(answer))
                self._note(batch, offer, [raw for raw in raws if raw["InstanceId"] not in gone])
            if not gone:
                return
            # EC2 still knew this token from a launch of which some have ended since: they count as seen now, which makes another token.
            batch.ended |= gone
        raise StackError(
            f"pools.{pool.name}: EC2 keeps answering with instances that have ended, {_REPLAYS} times in a day", "Look why they end"
        )

    def _launch_spot(self, batch: Batch, offers: list[Offer]) -> None:
        """One fleet for all open slots over all offers that are worth a try: EC2 chooses among them."""
        offers = [offer for offer in offers if self._worth(batch, offer)]
        if not offers:
            return
        slots, least = [change.wish.make["slot"] for change in batch.open], self._least(batch)
        requests = [(offer, launch.request(batch.open, offer, least, self.act.id)) for offer in offers]
        try:
            outcome = SpotLaunch(self.act, batch.pool, slots, batch.ended, requests, least).run()
        except Refused as error:
            self._refused(error.refusals, error.request_id, offers, noted=(UNFIT,))
            raise
        except Exception as error:
            request_id = _request_id(getattr(error, "response", None))
            if not decided(code_of(error)) or code_of(error) == UNFIT:
                self._refused([Refusal(None, code_of(error) or type(error).__name__, message_of(error))], request_id, offers)
                raise
            for offer in offers:
                self.search.failed(offer, code_of(error), message_of(error), request_id)
            batch.asked |= set(offers)
            return
        left = untried(outcome.refusals)
        self._refused(outcome.refusals, outcome.request_id, offers, noted=(UNTRIED,) if left else ())
        for offer in dict.fromkeys(offer for _id, offer in outcome.instances):
            self.search.taken(offer, outcome.request_id)
        filled = list(zip(batch.open, outcome.instances))
        for change, (instance_id, offer) in filled:
            self._filled(batch, change, offer, instance_id)
        batch.open = batch.open[len(filled) :]
        if batch.open and not outcome.again:
            batch.asked |= set(offers) - left
        schedule.launched(self.act, [change for change, _instance in filled])
        # They have the tag with all slots of the launch by now; a run that ends here leaves the rest to the next one.
        self.act.reader.together(*[lambda change=change, id=id: self._say_slot(change, id) for change, (id, _offer) in filled])
        if batch.open and (outcome.again or left):  # each further fleet has launched some before it, or has fewer offers, or is the last
            self._launch_spot(batch, offers)

    def _refused(self, refusals: list[Refusal], request_id: Optional[str], offers: list[Offer], noted: tuple[str, ...] = ()) -> None:
        """What names no offer is about the request: it is told of each of its offers, and rules none of them out.

        :param noted: codes that rule nothing out in this answer.
        """
        for refusal in refusals:
            if refusal.offer is not None:
                tell = self.search.noted if refusal.code in noted else self.search.failed
                tell(refusal.offer, refusal.code, refusal.message, request_id)
                continue
            for offer in offers:
                self.search.noted(offer, refusal.code, refusal.message, request_id)

    def _say_slot(self, change: Change, instance_id: str) -> None:
        sealed = seal(token_prefix(self.act.scope, self.act.seen.account_id), instance_id)
        tags = to_list({SLOT: str(change.wish.make["slot"]), LAUNCHED: sealed})
        self.act.call("ec2", "create_tags", Resources=[instance_id], Tags=tags)

    def _note(self, batch: Batch, offer: Offer, raws: list[dict[str, Any]]) -> None:
        filled = []
        for raw in raws:
            change = batch.open[int(raw.get("AmiLaunchIndex", 0))]
            self._filled(batch, change, offer, raw["InstanceId"])
            self.act.tell(change, private_ip=raw.get("PrivateIpAddress"))
            filled.append(change)
        batch.open = [change for change in batch.open if change not in filled]
        schedule.launched(self.act, filled)

    def _filled(self, batch: Batch, change: Change, offer: Offer, instance_id: str) -> None:
        self.act.made.add("instance")
        change.id = instance_id
        change.after = {**(change.after or {}), "instance_type": offer.instance_type, "zone": offer.zone, "market": offer.market}
        change.after["instance_store_gib"] = instance_store_gib(offer.instance_type, self.act.seen.type_facts)
        self.act.ids[Ref("instance", change.name)] = instance_id
        self.launched[instance_id] = (change, offer, batch)

    def _wait(self) -> tuple[bool, Optional[StackError]]:
        """Poll until all that was launched runs or has ended.

        :returns: whether some slots are to be launched once more; that it took too long.
        """
        waiting = {id for id, (change, _offer, _batch) in self.launched.items() if change.id == id}
        ended: list[dict[str, Any]] = []
        asked: collections.Counter[str] = collections.Counter()  # how often those that have ended did not say why

        def done() -> bool:
            for raw in read_instances(self.act.reader, sorted(waiting)):
                self.kept[raw["InstanceId"]] = volumes.kept(raw.get("BlockDeviceMappings", [])) or self.kept.get(raw["InstanceId"], [])
                if raw["State"]["Name"] in ENDED and not raw.get("StateReason", {}).get("Code"):
                    asked[raw["InstanceId"]] += 1
                    if raw["State"]["Name"] == "shutting-down" or asked[raw["InstanceId"]] < _UNEXPLAINED:
                        continue  # why it ends is told a moment later
                if raw["State"]["Name"] in ENDED:
                    ended.append(raw)
                elif raw["State"]["Name"] != "running":
                    continue
                self.act.tell(self.launched[raw["InstanceId"]][0], private_ip=raw.get("PrivateIpAddress"))
                waiting.discard(raw["InstanceId"])
            return not waiting

        late: Optional[StackError] = None
        if waiting:
            try:
                self.act.wait(f"launching {len(waiting)} instances", done)
            except StackError as error:  # what has ended by now is judged all the same
                late = error
        whose = [(batch, [raw for raw in ended if self.launched[raw["InstanceId"]][2] is batch]) for batch in self.batches]
        for batch, lost in whose:  # which forgets those that ended
            self._reopen(batch, lost)
        return any(batch.open and batch.failure is None and self._left(batch) for batch in self.batches), late

    def _left(self, batch: Batch) -> bool:
        return any(self._worth(batch, offer) for offer in batch.offers)

    def _reopen(self, batch: Batch, ended: list[dict[str, Any]]) -> None:
        """The slots whose instances ended before they ran are open again. A gang that has lost some ends whole."""
        gone = {raw["InstanceId"]: self.launched[raw["InstanceId"]][0].name for raw in ended}
        for raw in ended:
            change, offer, _batch = self.launched[raw["InstanceId"]]
            reason = raw.get("StateReason", {})
            if self.search.failed(offer, reason.get("Code", "?"), reason.get("Message", "")) == STOP:
                batch.failure = launch_failed(batch.pool.name, ended)
            self._free(change, raw["InstanceId"], batch)
        running = [id for id, (_change, _offer, mine) in self.launched.items() if mine is batch]
        if ended and running and batch.pool.together and self._have(batch.pool) < batch.pool.least:
            if batch.pool.termination_protection:
                for id in running:
                    self.act.call("ec2", "modify_instance_attribute", InstanceId=id, DisableApiTermination={"Value": False})
            self.act.call("ec2", "terminate_instances", InstanceIds=running)
            gone.update({id: self.launched[id][0].name for id in running})
            for id in running:
                self._free(self.launched[id][0], id, batch)
        staying = volumes.left_behind(batch.pool, {f"{name} ({id})": self.kept.get(id, []) for id, name in gone.items()})
        if staying:
            self.act.warnings.append(staying)

    def _free(self, change: Change, instance_id: str, batch: Batch) -> None:
        del self.launched[instance_id], self.act.ids[Ref("instance", change.name)]
        schedule.ended(self.act, change)
        change.id = None
        batch.ended.add(instance_id)
        batch.open = sorted([*batch.open, change], key=lambda one: one.wish.make["slot"])

    def _enough(self, pool: Any) -> None:
        """:raises StackError: the pool has fewer than it needs; with fewer than ``count`` the others are left for the next run."""
        missing = [change for batch in self.batches if batch.pool.name == pool.name for change in batch.open]
        if not missing:
            return
        tried = [one for one in self.search.tried if one.code is not None and one.offer in missing[0].wish.make["offers"]]
        said = dict.fromkeys(f"{one.offer.instance_type} in {one.offer.zone}, {one.offer.market}: {one.code}" for one in tried)
        have = self._have(pool)
        text = f"pools.{pool.name} has {have} of {pool.count} instances, and no offer is left ({'; '.join(said) or 'none was worth a try'})"
        if have < pool.least:
            hint = "Allow more types, zones or markets, ask for a quota, set min to start smaller, or run again later"
            raise StackError(text, hint, path=f"pools.{pool.name}")
        self.act.warnings.append(f"{text}: min is {pool.least}. The next run tries to get the others.")
        for change in missing:
            change.action, change.reason = "pending", "there is no capacity now; the pool has its min"


def _request_id(answer: Optional[dict[str, Any]]) -> Optional[str]:
    return (answer or {}).get("ResponseMetadata", {}).get("RequestId")


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
