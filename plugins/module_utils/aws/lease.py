# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What remembers when the leases of a pool began: an SSM parameter ``/mlinfra/<stack>/<environment>/leases/<pool>``.

It is written before the instances are launched, and is why their expiry is the same in a run that goes on where another one was killed:
the launch is the same request, with the same token. Slots that could not be had are taken out again. Its path is its provenance.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import terms
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import ambiguous, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind, Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.schedule import Schedule
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import SCHEMA, owner_tags, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

_STANDARD = 4096  # bytes of a standard parameter; an advanced one takes 8192 (Systems Manager user guide, Managing parameter tiers)


def folder(scope: Scope) -> str:
    return f"/mlinfra/{scope.stack}/{scope.environment}/leases"


class Lease(Kind):
    name = "lease"
    section = "pools"
    service = "ssm"
    transient = True
    # Last before the instances: a lease should not run while a network is made.
    needs = ("subnet", "security_group", "route_table", "nat_gateway", "endpoint", "key_pair", "instance_profile", "schedule_role")

    def asked(self, intent: Intent) -> bool:
        return any(terms.expiring(pool) for pool in intent.stack.pools or ())

    def observe(self, reader: Reader) -> list[Found]:
        where = folder(reader.scope)
        return [_found(raw, where) for raw in reader.pages("ssm", "get_parameters_by_path", "Parameters", Path=where)]

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        wishes = []
        for pool in intent.stack.pools or ():
            wanted = terms.terms(pool, seen)
            if wanted:
                tags = owner_tags(intent.scope, self.name, pool.name)
                make = {"parameter": f"{folder(intent.scope)}/{pool.name}", "tags": tags}
                wishes.append(Wish(self.name, pool.name, {"slots": terms.record(wanted)}, {}, make, path=f"pools.{pool.name}.lease"))
        return wishes

    def surplus(self, found: Found, intent: Intent) -> bool:
        """The record of a pool that has no expiry any more goes; one of a pool that is not declared goes with ``prune``."""
        return found.name in [pool.name for pool in intent.stack.pools or ()]

    def create(self, act: Any, change: Change) -> str:
        name = change.wish.make["parameter"]
        text = _text(change.wish.state)
        about = f"When the leases of pool {change.name} began"
        tags = to_list(change.wish.make["tags"])
        act.handed[Ref(self.name, change.name)] = change  # before the call, whose answer may be lost
        act.call("ssm", "put_parameter", Name=name, Value=text, Type="String", Description=about, Tags=tags, **_tier(text))
        return name

    def update(self, act: Any, change: Change) -> None:
        act.handed[Ref(self.name, change.name)] = change
        _put(act, change.id, change.wish.state)

    def delete(self, act: Any, change: Change) -> None:
        _delete(act, change.id)


def _found(raw: dict[str, Any], where: str) -> Found:
    """What is there under our path and does not read as a record is foreign."""
    pool = raw["Name"][len(where) + 1 :]
    try:
        value = json.loads(raw["Value"])
    except ValueError:
        value = None
    owned = isinstance(value, dict) and value.get("schema") == SCHEMA and isinstance(value.get("slots"), list)
    return Found("lease", pool, raw["Name"], {"slots": value["slots"] if owned else []}, {}, owned)


def _text(state: dict[str, Any]) -> str:
    return json.dumps({"schema": SCHEMA, "slots": state["slots"]}, sort_keys=True)


def _tier(text: str) -> dict[str, str]:
    return {"Tier": "Advanced"} if len(text.encode()) > _STANDARD else {}


def _put(act: Any, name: str, state: dict[str, Any]) -> None:
    text = _text(state)
    act.call("ssm", "put_parameter", Name=name, Value=text, Type="String", Overwrite=True, **_tier(text))


def _delete(act: Any, name: str) -> None:
    try:
        act.call("ssm", "delete_parameter", Name=name)
    except Exception as error:
        if code_of(error) != "ParameterNotFound":
            raise


def release(act: Any, batches: Iterable[Any]) -> None:
    """Take out of the records what EC2 certainly did not launch: its lease has not begun.

    What has no answer stays, and is asked for again.
    """
    for batch in batches:
        empty = [change for change in batch.open if change.id is None]
        slots = [change.wish.make["slot"] for change in empty]
        handed = [act.handed.get(Ref("schedule", change.name)) for change in empty]
        for waiting in (change for change in handed if change is not None):
            waiting.action, waiting.reason = "pending", "its instance could not be had"
        change = act.handed.get(Ref("lease", batch.pool.name))
        if not slots or change is None or (batch.failure is not None and ambiguous(batch.failure)):
            continue
        withdraw(act, change, slots)


def withdraw(act: Any, change: Change, slots: Collection[int]) -> None:
    """Write the record without what it says anew of these slots: it has what it had of them, if anything."""
    before = terms.recorded(change.found.state) if change.found is not None else {}
    after = {**terms.recorded(change.wish.state), **{slot: before[slot] for slot in slots if slot in before}}
    after = {slot: term for slot, term in after.items() if slot not in slots or slot in before}
    change.wish.state["slots"] = terms.record(after)
    change.after = dict(change.wish.state)
    if after:
        _put(act, change.id, change.wish.state)
    else:
        _delete(act, change.id)
    if after == before:
        change.action, change.reason = "pending", "nothing of what it is for could be launched"


def end_back(act: Any, change: Change) -> None:
    """An instance that was there before has the tags of the end that it had."""
    resources, old = [change.id, *change.found.facts["parts"]], change.found.tags
    had = {key: old[key] for key in terms.ENDS if key in old}
    if had:
        act.call("ec2", "create_tags", Resources=resources, Tags=to_list(had))
    lacked = [{"Key": key} for key in terms.ENDS if key not in old and key in change.tags]
    if lacked:
        act.call("ec2", "delete_tags", Resources=resources, Tags=lacked)


def update(act: Any, change: Change) -> None:
    """What the lease of an instance wants of EC2, beyond tags that are set."""
    wished, gone = change.wish.state, []
    if "expires" in change.fields:
        gone += [terms.EXPIRES, terms.ENFORCE]
    if "idle" in change.fields:
        gone.append(terms.IDLE)
    if gone:
        resources = [change.id, *change.found.facts["parts"]]
        act.call("ec2", "delete_tags", Resources=resources, Tags=[{"Key": key} for key in gone])
    if "metadata_tags" in change.fields:
        act.call("ec2", "modify_instance_metadata_options", InstanceId=change.id, InstanceMetadataTags=wished["metadata_tags"])
    if "shutdown" in change.fields:
        behaviour = {"Value": wished["shutdown"]}
        act.call("ec2", "modify_instance_attribute", InstanceId=change.id, InstanceInitiatedShutdownBehavior=behaviour)
        act.call("ec2", "create_tags", Resources=[change.id], Tags=to_list({terms.TIMER: wished["shutdown"]}))


def follow_up(reader: Reader, seen: Observed) -> None:
    """Read what leases that were declared once have left: only where instances or the role say that there is something."""
    stack, schedules = reader.stack, Schedule()
    if "instance" not in seen.found:
        return
    pools = {pool.name: pool for pool in stack.pools or ()}
    instances = [found for found in seen.of("instance") if found.owned]
    old = [one for one in instances if terms.EXPIRES in one.tags and one.facts["pool"] in pools]
    old = [one for one in old if not terms.expiring(pools[one.facts["pool"]])]
    # whoever owns them by now: the schedule of an instance that is adopted no more would end it all the same
    other = [one for one in seen.of("instance") if one.tags.get(terms.ENFORCE) == "scheduler" and "ended" not in one.facts]
    other = [one for one in other if one.facts["pool"] not in pools or not terms.scheduled(pools[one.facts["pool"]])]
    if old and "lease" not in seen.found:
        reader.clients.prepare(["ssm"])
        seen.found["lease"] = Lease().observe(reader)
    used = reader.everything and any(one.owned for one in seen.of("schedule_role"))
    if (other or used) and not schedules.asked(reader.intent) and not seen.of("schedule"):
        reader.clients.prepare([schedules.service])
        seen.found["schedule"] = schedules.read(reader)
        terms.join(seen)
