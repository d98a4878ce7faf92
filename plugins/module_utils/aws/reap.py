# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds the instances of an account and region whose leases are over, and terminates those that a stack of ours launched.

A tag alone never ends anything: tags can be copied, mistyped and set by everybody. An instance goes only if its tags name a stack and the
token that it was launched with is one of that stack, which nobody can put on afterwards (``provenance.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import code_of, message_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.provenance import FLEET, fleet_tokens, launched_by
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import (
    ENVIRONMENT,
    PROTECT,
    STACK,
    claims,
    marked_protected,
    to_dict,
    token_prefix,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.terms import EXPIRES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import epoch
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

_THEIRS = "its tags say that it is a stack's, but it was not launched by it"


class Leased(NamedTuple):
    """One instance with an end. ``reason`` says why it stays; empty for one that goes."""

    instance_id: str
    stack: str
    environment: str
    name: str
    status: str
    expires: str
    reason: str = ""

    def public(self) -> dict[str, str]:
        told = self._asdict()
        if not self.reason:
            told.pop("reason")
        return told


def find(ec2: Any, account_id: str, region: str, stack: Optional[str], environment: Optional[str], now: int) -> list[Leased]:
    """All instances that have an end and have not ended, in the order of their ids; of one stack or environment where that is given."""
    filters = [{"Name": "tag-key", "Values": [EXPIRES]}]
    filters += [{"Name": f"tag:{key}", "Values": [value]} for key, value in ((STACK, stack), (ENVIRONMENT, environment)) if value]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
    raws = [raw for page in pages for one in page["Reservations"] for raw in one["Instances"] if raw["State"]["Name"] not in ENDED]
    due = [raw for raw in raws if _is_due(to_dict(raw.get("Tags")), now)]
    fleets = [to_dict(raw.get("Tags")).get(FLEET) for raw in due]
    tokens = fleet_tokens(ec2, [fleet for fleet in fleets if fleet])  # only of what would go
    return sorted(judge(raw, account_id, region, tokens, now) for raw in raws)


def _is_due(tags: Mapping[str, str], now: int) -> bool:
    end = epoch(tags.get(EXPIRES))
    return end is not None and end <= now


def judge(raw: Mapping[str, Any], account_id: str, region: str, fleets: Mapping[str, str], now: int) -> Leased:
    """Whether an instance goes, or why it stays. Pure."""
    tags = to_dict(raw.get("Tags"))
    stack, environment = tags.get(STACK, ""), tags.get(ENVIRONMENT, "")
    found = Leased(raw["InstanceId"], stack, environment, tags.get("Name", ""), raw["State"]["Name"], tags.get(EXPIRES, ""))
    if epoch(found.expires) is None:
        return found._replace(reason=f"its tag {EXPIRES} is no moment like 2026-11-29T23:44:00Z")
    if not _is_due(tags, now):
        return found._replace(reason="its lease is not over")
    scope = Scope(account_id, region, stack, environment)
    ours = launched_by(raw, tags, fleets, token_prefix(scope, account_id))
    if not (stack and environment and claims(tags, scope, "instance") and ours):
        return found._replace(reason=_THEIRS)
    if marked_protected(tags):
        return found._replace(reason=f"it has the tag {PROTECT}")
    return found


def guarded(ec2: Any, leased: Iterable[Leased], warn: Callable[[str], Any]) -> list[Leased]:
    """The same, with a reason for those that have termination protection.

    Where that cannot be read it is said, and the instance goes like the others: EC2 itself keeps one that is protected.
    """
    return [
        one._replace(reason="it has termination protection") if not one.reason and _protected(ec2, one.instance_id, warn) else one
        for one in leased
    ]


def _protected(ec2: Any, instance_id: str, warn: Callable[[str], Any]) -> bool:
    try:
        answer = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="disableApiTermination")
    except Exception as error:
        told = f"{code_of(error) or type(error).__name__}: {message_of(error)}"
        warn(f"{instance_id}: whether it has termination protection cannot be read ({told}); if it has, EC2 refuses to end it")
        return False
    return bool(answer["DisableApiTermination"].get("Value"))


def terminate(ec2: Any, leased: Iterable[Leased]) -> list[Leased]:
    """End those without a reason, each by a request of its own: one that cannot be ended keeps no other. What stays gets a reason."""
    done = []
    for one in leased:
        if not one.reason:
            try:
                if not _still(ec2, one):
                    done.append(one._replace(reason="it has ended, or its lease was renewed, in this moment"))
                    continue
                ec2.terminate_instances(InstanceIds=[one.instance_id])
            except Exception as error:
                one = one._replace(reason=f"{code_of(error) or type(error).__name__}: {message_of(error)}")
        done.append(one)
    return done


def _still(ec2: Any, one: Leased) -> bool:
    """Whether it has the same end as when it was found: somebody may have renewed its lease since."""
    states = ["pending", "running", "stopping", "stopped"]
    wanted = {"instance-id": [one.instance_id], f"tag:{EXPIRES}": [one.expires], "instance-state-name": states}
    filters = [{"Name": name, "Values": values} for name, values in wanted.items()]
    return bool(ec2.describe_instances(Filters=filters)["Reservations"])
