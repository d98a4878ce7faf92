# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Cluster placement groups of the pools that want one, or the groups that they refer to. The id is the name: a launch wants that.

Read only where a pool wants a group, and where all that the stack has is to be found (``prune``, ``state: absent``).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fitting import group_name
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish

STRATEGY = "cluster"
_LIVING = ["pending", "running", "stopping", "stopped"]


class PlacementGroup(Ec2Kind):
    name = "placement_group"
    section = "pools"
    immutable = ("strategy",)
    transient = True  # costs nothing and holds nothing

    def observe(self, reader: Reader) -> list[Found]:
        """One request where it reads at all, two with ``prune``; and one for each group that is referred to, for the zone it is in."""
        pools = reader.stack.pools or ()
        existing = {pool.existing_placement_group: pool for pool in pools if pool.existing_placement_group}
        wanted = sorted({name for name in (group_name(pool, reader.scope) for pool in pools) if name})
        names = sorted({*wanted, *(f"{reader.scope.prefix}-{pool.name}" for pool in pools)})  # also those that a pool no longer wants
        filters = [[{"Name": "group-name", "Values": names}]] if wanted else []
        if reader.complete:
            filters.append(reader.filters())
        ec2 = reader.client("ec2")
        answers = reader.together(*[lambda one=one: ec2.describe_placement_groups(Filters=one)["PlacementGroups"] for one in filters])
        listed = {raw["GroupName"]: raw for raws in answers for raw in raws if raw.get("State") not in ("deleting", "deleted")}
        for name, pool in existing.items():
            _check_existing(name, listed.get(name), pool.name, reader.scope.region)
        zones = dict(zip(existing, reader.together(*[lambda name=name: _zones(reader, name) for name in existing])))
        found = [self._found(reader, raw, name in existing, zones.get(name, [])) for name, raw in listed.items()]
        return [one for one in found if one.name in wanted or claims(one.tags, reader.scope, self.name)]

    def _found(self, reader: Reader, raw: dict[str, Any], existing: bool, zones: list[str]) -> Found:
        tags = to_dict(raw.get("Tags"))
        owned = not existing and claims(tags, reader.scope, self.name) and raw["GroupName"].startswith(f"{reader.scope.prefix}-")
        facts = {"group_id": raw.get("GroupId"), "zones": zones}
        return Found(self.name, raw["GroupName"], raw["GroupName"], {"strategy": raw.get("Strategy")}, tags, owned, existing, facts)

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        wishes = {}
        for pool in intent.stack.pools or ():
            name, path = group_name(pool, intent.scope), f"pools.{pool.name}.placement"
            if name and pool.existing_placement_group:
                wishes[name] = Wish(self.name, name, existing=True, path=f"pools.{pool.name}.existing_placement_group")
            elif name:
                tags = owner_tags(intent.scope, self.name, pool.name, name)
                wishes[name] = Wish(self.name, name, {"strategy": STRATEGY}, tags, {"pool": pool.name}, path=path)
        for found in seen.of(self.name):
            # One that is lived in cannot be deleted yet: it is wished as it is, and goes when its last instance has.
            if found.owned and found.name not in wishes and inhabitants(found.name, seen):
                wishes[found.name] = Wish(self.name, found.name, {}, {}, {"pool": None}, path="pools")
        return list(wishes.values())

    def surplus(self, found: Found, intent: Intent) -> bool:
        """``placement`` is the declaration of a group: none that is left over has to be asked for."""
        return True

    def note(self, found: Found, wish: Wish, seen: Observed) -> str:
        if wish.make.get("pool") is not None:
            return ""
        return f"no pool wants it any more; it stays while {', '.join(inhabitants(found.name, seen))} is in it"

    def create(self, act: Any, change: Change) -> str:
        tags = [specification("placement-group", change.wish.tags)]
        act.call("ec2", "create_placement_group", GroupName=change.name, Strategy=STRATEGY, TagSpecifications=tags)
        return change.name

    def update(self, act: Any, change: Change) -> None:
        if change.tags:
            act.call("ec2", "create_tags", Resources=[change.found.facts["group_id"]], Tags=to_list(change.tags))

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_placement_group", GroupName=change.name)


def inhabitants(name: str, seen: Observed) -> list[str]:
    """The stack's own instances in a group."""
    return sorted(found.name for found in seen.of("instance") if found.owned and found.facts.get("placement_group") == name)


def _check_existing(name: str, raw: Any, pool: str, region: str) -> None:
    """:raises StackError: the group that a pool refers to is not there, or is of another kind."""
    path = f"pools.{pool}.existing_placement_group"
    if raw is None:
        text = f"{path} is {name}: {region} has no placement group of that name"
        raise StackError(text, "Make it, or leave the option out to have one made", path=path)
    if raw.get("Strategy") != STRATEGY:
        text = f"{path} is {name}: its strategy is {raw.get('Strategy')}, and placement is cluster"
        raise StackError(text, "Name a group with strategy cluster", path=path)


def _zones(reader: Reader, name: str) -> list[str]:
    """The zones of all that lives in a group, whosever it is."""
    filters = [{"Name": "placement-group-name", "Values": [name]}, {"Name": "instance-state-name", "Values": _LIVING}]
    listed = reader.pages("ec2", "describe_instances", "Reservations", Filters=filters)
    return sorted({raw["Placement"]["AvailabilityZone"] for one in listed for raw in one["Instances"]})
