# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One-time schedules of EventBridge Scheduler that terminate instances when their leases end, and the role that they do it with.

Sources: EventBridge Scheduler user guide, "Schedule types" (at expressions), "Using universal targets" (aws-sdk:ec2:terminateInstances),
"Deletion after schedule completion", "Confused deputy prevention" (aws:SourceAccount in the trust).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import terms, value
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind, Reader, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.role import Role, facts_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import (
    ENVIRONMENT,
    REGION,
    STACK,
    claims,
    owner_tags,
    to_dict,
    token_prefix,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import epoch, moment
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

_ROLE = Ref("schedule_role", "leases")
_POLICY = "mlinfra"
_GONE = "ResourceNotFoundException"
_SOON = 60  # seconds: a moment that has passed cannot be scheduled
_READERS = 8
_LONGEST_NAME = 64  # IAM API reference, CreateRole


def role_name(scope: Scope) -> str:
    """Of this region's role: IAM has one name for all regions, and a stack may be in several. A long prefix is cut and has its hash."""
    tail = f"-leases-{scope.region}"
    if len(scope.prefix) + len(tail) > _LONGEST_NAME:
        tail = f"-{hashlib.sha256(scope.prefix.encode()).hexdigest()[:8]}{tail}"
    return scope.prefix[: _LONGEST_NAME - len(tail)] + tail


def _old_role_name(scope: Scope) -> str:
    """What 0.4.0 made: schedules that it left use it until they are moved."""
    return f"{scope.prefix}-leases"


def _role_arn(scope: Scope, partition: str, account_id: str) -> str:
    return f"arn:{partition}:iam::{account_id}:role{scope.iam_path}{role_name(scope)}"


class ScheduleRole(Role):
    """The scheduler may take it, and it may terminate instances that carry the stack's tags."""

    name = "schedule_role"
    section = "pools"
    transient = True

    def asked(self, intent: Intent) -> bool:
        return any(terms.scheduled(pool) for pool in intent.stack.pools or ())

    def observe(self, reader: Reader) -> list[Found]:
        names = (role_name(reader.scope), _old_role_name(reader.scope))
        current, old = reader.together(*[lambda name=name: self._read(reader, name) for name in names])
        if old is not None:
            old.name = f"{_ROLE.name} ({old.id})"
        return [*([current] if current else []), *([old] if old is not None and old.owned else [])]

    def _read(self, reader: Reader, name: str) -> Optional[Found]:
        iam = reader.client("iam")
        answer = unless(("NoSuchEntity",), lambda: iam.get_role(RoleName=name))
        if answer is None:
            return None
        raw = answer["Role"]
        inline = unless(("NoSuchEntity",), lambda: iam.get_role_policy(RoleName=name, PolicyName=_POLICY))
        tags = to_dict(raw.get("Tags"))
        state = {
            "trust": _json(raw["AssumeRolePolicyDocument"]),
            "policy": _json(inline["PolicyDocument"]) if inline else None,
            "managed_policies": [],  # what others attach is theirs, and hinders the removal until they take it away
            "permissions_boundary": raw.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        }
        owned = claims(tags, reader.scope, self.name) and raw["Path"] == reader.scope.iam_path and tags.get(REGION) == reader.scope.region
        return Found(self.name, _ROLE.name, raw["RoleName"], state, tags, owned, facts=facts_of(raw))

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        if not self.asked(intent):
            return []
        scope = intent.scope
        state = {
            "trust": _trust(seen.account_id),
            "policy": _policy(scope, seen.partition, seen.account_id),
            "managed_policies": [],
            "permissions_boundary": scope.permissions_boundary,
        }
        tags = {**owner_tags(scope, self.name, _ROLE.name), REGION: scope.region}
        make = {"role_name": role_name(scope), "path": scope.iam_path, "description": f"Ends instances of the stack {scope.prefix}"}
        return [Wish(self.name, _ROLE.name, state, tags, make, path="pools")]


def _trust(account_id: str) -> dict[str, Any]:
    condition = {"StringEquals": {"aws:SourceAccount": account_id}}
    principal = {"Service": "scheduler.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _policy(scope: Scope, partition: str, account_id: str) -> dict[str, Any]:
    ours = {f"aws:ResourceTag/{STACK}": scope.stack, f"aws:ResourceTag/{ENVIRONMENT}": scope.environment}
    statement = {
        "Effect": "Allow",
        "Action": "ec2:TerminateInstances",
        "Resource": f"arn:{partition}:ec2:{scope.region}:{account_id}:instance/*",
        "Condition": {"StringEquals": ours},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class Schedule(Kind):
    """Schedules have no tags: the prefix of their names is their provenance, the one that the ClientTokens of the stack have."""

    name = "schedule"
    section = "pools"
    service = "scheduler"
    transient = True
    needs = ("schedule_role",)

    def asked(self, intent: Intent) -> bool:
        return any(terms.scheduled(pool) for pool in intent.stack.pools or ())

    def observe(self, reader: Reader) -> list[Found]:
        """None when all of the stack is looked for: ``lease.follow_up`` reads them when there is a role that they could use."""
        return self.read(reader) if self.asked(reader.intent) else []

    def read(self, reader: Reader) -> list[Found]:
        prefix = token_prefix(reader.scope, reader.account_id)
        names = [raw["Name"] for raw in reader.pages("scheduler", "list_schedules", "Schedules", NamePrefix=prefix, GroupName="default")]
        client = reader.client("scheduler")
        with ThreadPoolExecutor(_READERS) as pool:
            raws = list(pool.map(lambda name: unless((_GONE,), lambda: client.get_schedule(Name=name, GroupName="default")), names))
        return [_found(raw, prefix) for raw in raws if raw is not None]

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        wishes, role = [], _role_arn(intent.scope, seen.partition, seen.account_id)
        for pool in intent.stack.pools or ():
            if not terms.scheduled(pool):
                continue
            ends, staying = terms.ends(pool, seen), value.staying(pool, intent.control.force, seen)
            for slot in sorted({*staying, *terms.adopting(pool, seen), *terms.to_fill(pool, seen)}):
                if slot in ends:
                    name = f"{pool.name}-{slot}"
                    state = {"instance": Ref("instance", name), "expires": moment(ends[slot]), "enabled": True, "role": role}
                    wishes.append(Wish(self.name, name, state, path=f"pools.{pool.name}.lease"))
        return wishes

    def surplus(self, found: Found, intent: Intent) -> bool:
        """Of an instance that is gone, or that has no such lease any more; not of a pool that is undeclared, whose instances stay too."""
        pool = found.facts.get("pool")
        return pool is None or pool in [one.name for one in intent.stack.pools or ()]

    def create(self, act: Any, change: Change) -> str:
        act.handed[Ref(self.name, change.name)] = change
        if change.wish.state["instance"] in act.ids:
            return _make(act, change)
        return ""  # its instance is launched later in this run, and ``launched`` makes it then

    def update(self, act: Any, change: Change) -> None:
        act.call("scheduler", "update_schedule", **_request(act, change, change.id))

    def delete(self, act: Any, change: Change) -> None:
        instance, listed = change.found.facts["instance"], [found.id for found in act.seen.of("instance")]
        if instance in act.ids.values() and instance not in listed:
            return  # a killed run launched it and EC2 did not list it yet: this run's launch was answered with it, and it needs its end
        _delete(act, change.id)


def launched(act: Any, changes: list[Change]) -> None:
    """Instances have been launched (they need not run yet): their ends are scheduled at once, so that nothing can come in between."""

    def make(waiting: Change) -> None:
        waiting.id = act.ids[Ref("schedule", waiting.name)] = _make(act, waiting)

    handed = [act.handed.get(Ref("schedule", change.name)) for change in changes]
    act.reader.together(*[lambda waiting=waiting: make(waiting) for waiting in handed if waiting is not None])


def ended(act: Any, change: Change) -> None:
    """The launch of an instance has failed after all."""
    waiting: Optional[Change] = act.handed.get(Ref("schedule", change.name))
    if waiting is not None and waiting.id:
        _delete(act, waiting.id)
        waiting.id = None
        act.ids.pop(Ref("schedule", change.name), None)


def forget(act: Any, instance_id: str) -> None:
    """Take away the end of an instance, if there is one."""
    _delete(act, token_prefix(act.scope, act.seen.account_id) + instance_id)


def _make(act: Any, change: Change) -> str:
    name = token_prefix(act.scope, act.seen.account_id) + act.id(change.wish.state["instance"])
    try:
        act.call("scheduler", "create_schedule", **_request(act, change, name))
    except Exception as error:
        if code_of(error) != "ConflictException":  # an earlier attempt took effect
            raise
        act.call("scheduler", "update_schedule", **_request(act, change, name))
    return name


def _request(act: Any, change: Change, name: str) -> dict[str, Any]:
    """Of both calls: an update leaves out nothing, since what is left out is reset."""
    scope, seen = act.scope, act.seen
    now = max(seen.now, int(time.time()))  # what was seen may be minutes old after a launch
    due = max(epoch(change.wish.state["expires"]) or 0, now + _SOON)
    return {
        "Name": name,
        "GroupName": "default",
        "ScheduleExpression": f"at({moment(due)[:-1]})",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "DELETE",
        "Description": f"Ends {scope.prefix}-{change.name} when its lease does",
        "Target": {
            "Arn": f"arn:{seen.partition}:scheduler:::aws-sdk:ec2:terminateInstances",
            "RoleArn": _role_arn(scope, seen.partition, seen.account_id),
            "Input": json.dumps({"InstanceIds": [act.id(change.wish.state["instance"])]}),
        },
    }


def _delete(act: Any, name: str) -> None:
    try:
        act.call("scheduler", "delete_schedule", Name=name, GroupName="default")
    except Exception as error:
        if code_of(error) != _GONE:
            raise


def _found(raw: dict[str, Any], prefix: str) -> Found:
    """Its state is what it does, whoever may have changed it; named for the instance until that is known."""
    instance = raw["Name"][len(prefix) :]
    at = re.fullmatch(r"at\((.*)\)", raw.get("ScheduleExpression", ""))
    try:
        input_ids = json.loads(raw["Target"].get("Input") or "{}").get("InstanceIds")
    except (ValueError, AttributeError):
        input_ids = None
    state = {
        "instance": instance if input_ids == [instance] else str(input_ids),
        "expires": f"{at.group(1)}Z" if at else raw.get("ScheduleExpression"),
        "enabled": raw.get("State", "ENABLED") == "ENABLED",
        "role": raw["Target"].get("RoleArn"),
    }
    return Found("schedule", instance, raw["Name"], state, {}, True, facts={"instance": instance})


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
