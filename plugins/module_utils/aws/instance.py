# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The instances of the pools, one resource per slot: ``train-0``, ``train-1`` …

An instance knows its slot by the tag of its launch (``mlinfra:slots``, ranges) and its index in it, so that one request can launch many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import (
    adoption,
    changing,
    fitting,
    launch,
    launch_drift,
    lease,
    placing,
    power,
    renewal,
    schedule,
    terms,
    value,
    volumes,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.fleet_slots import fleet_slots
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.launching import Launching
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.provenance import FLEET, fleet_tokens, launched_by, seal
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.security_group import check_efa_groups, groups_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import (
    LAUNCHED,
    POOL,
    SLOT,
    SLOTS,
    claims,
    owner_tags,
    to_dict,
    to_list,
    token_prefix,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import instance_store_gib
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool

HOP_LIMIT = 2  # a container's answer takes one hop more


class Instance(Ec2Kind):
    name = "instance"
    section = "pools"
    batched = True
    needs = (
        "subnet",
        "security_group",
        "route_table",
        "internet_gateway",
        "nat_gateway",
        "endpoint",
        "key_pair",
        "instance_profile",
        "placement_group",
        "bucket",
        "repository",
        "schedule_role",
        "lease",
        "schedule",
    )

    def observe(self, reader: Reader) -> list[Found]:
        raws = [
            raw for one in reader.pages("ec2", "describe_instances", "Reservations", Filters=reader.filters()) for raw in one["Instances"]
        ]
        raws += adoption.read(reader, raws)
        named = adoption.named(reader.stack)
        prefix = token_prefix(reader.scope, reader.account_id)
        fleets = [to_dict(raw.get("Tags")).get(FLEET) for raw in raws if raw["State"]["Name"] not in ENDED]
        tokens = fleet_tokens(reader.client("ec2"), [fleet for fleet in fleets if fleet])
        slots = fleet_slots(raws)
        found = []
        taken: set[str] = set()
        for raw in sorted(raws, key=lambda raw: (raw["InstanceId"] in named, str(raw.get("LaunchTime", "")), raw["InstanceId"])):
            tags = to_dict(raw.get("Tags"))
            ours, claimed = launched_by(raw, tags, tokens, prefix), claims(tags, reader.scope, self.name)
            one = _found(raw, tags, ours and claimed, slots)
            adoption.judge(one, raw, claimed, named.get(one.id), taken)
            if one.owned and one.name in taken:
                one.facts["surplus"] = f"a second instance of {one.name}, launched after the first"
                one.facts["slot"], one.name = None, f"{one.name} ({one.id})"
            elif one.owned:
                taken.add(one.name)
            found.append(one)
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        wishes = []
        for pool in intent.stack.pools or ():
            new, staying = changing.replaced(pool, intent.control.force, seen), value.staying(pool, intent.control.force, seen)
            wishes.extend(self._present(pool, {slot: found for slot, found in staying.items() if slot not in new}, intent, seen))
            wishes.extend(adoption.wishes(pool, intent, seen, self._slot_tags(pool, intent, seen), self._state(pool)))
            slots = [*terms.to_fill(pool, seen), *new]
            if slots:
                wishes.extend(self._new(pool, sorted(slots), intent, seen, new))
        return wishes

    def _tags(self, pool: Pool, intent: Intent) -> dict[str, str]:
        tags = {**pool.tags, **owner_tags(intent.scope, self.name, pool.name, label(intent.scope, pool.name))}
        return {**tags, **launch.access_tags(intent.stack.network.access, pool)}

    def _slot_tags(self, pool: Pool, intent: Intent, seen: Observed) -> Callable[[int], dict[str, str]]:
        common, ends = self._tags(pool, intent), terms.ends(pool, seen)
        return lambda slot: {**common, **terms.tags(pool, ends.get(slot))}

    @staticmethod
    def _state(pool: Pool) -> dict[str, Any]:
        """What instances that are there are compared with."""
        return {"http_tokens": "required", "hop_limit": HOP_LIMIT, **terms.state(pool), **power.state(pool)}

    def _present(self, pool: Pool, there: dict[int, Found], intent: Intent, seen: Observed) -> list[Wish]:
        wishes = []
        tags = self._slot_tags(pool, intent, seen)
        for slot in sorted(there):
            told, found = tags(slot), there[slot]
            if found.facts.get("says_slot"):
                told[SLOT] = str(slot)
                if found.id not in pool.adopt:  # what others launched is ours for as long as it is named, and no longer
                    told[LAUNCHED] = seal(token_prefix(intent.scope, seen.account_id), found.id)
            make = {"pool": pool, "group_name": fitting.group_name(pool, intent.scope)}
            wishes.append(Wish(self.name, f"{pool.name}-{slot}", self._state(pool), told, make, path=f"pools.{pool.name}"))
        return wishes

    def _new(self, pool: Pool, slots: list[int], intent: Intent, seen: Observed, replaced: dict[int, Found]) -> list[Wish]:
        members = changing.members(pool, intent.control.force, seen)
        beside = [found for slot, found in members.items() if slot not in replaced]
        choices = self._choices(pool, slots, intent, seen, beside, replaced)
        image = seen.images[pool.name]
        volumes.check_devices(pool, image)
        if pool.efa:
            check_efa_groups(pool, intent.stack.network, seen)
        wishes, ends = [], terms.ends(pool, seen)
        for slot in slots:
            offers = placing.for_slot(slot, choices[slot], pool)
            state = {
                "instance_type": offers[0].instance_type,
                "image_id": image.id,
                "zone": offers[0].zone,
                "market": offers[0].market,
                "instance_store_gib": instance_store_gib(offers[0].instance_type, seen.type_facts),
                "http_tokens": "required",
                "hop_limit": HOP_LIMIT,
                **terms.launch_state(pool, ends.get(slot)),
            }
            tags = {**self._tags(pool, intent), **terms.tags(pool, ends.get(slot)), **terms.launch_tags(pool)}
            make = {
                "pool": pool,
                "slot": slot,
                "image": image,
                "offers": offers,
                "subnets": choices[slot].subnets,
                "beside": beside,
                "members": [f"{pool.name}-{one}" for one in sorted(members)],
                "groups": groups_of(pool, intent.stack.network, seen),
                "public_address": placing.public_address(pool, intent.stack.network),
                "key": placing.key_name(intent),
                "profile": placing.profile(intent),
                "types": seen.type_facts,
                "placement_group": fitting.group_ref(pool, intent.scope),
            }
            if slot in replaced or (replaced and pool.together):
                make["replaces"] = replaced.get(slot)  # None for a slot that is empty by now: a gang is launched whole
            wishes.append(Wish(self.name, f"{pool.name}-{slot}", state, tags, make, path=f"pools.{pool.name}"))
        return wishes

    @staticmethod
    def _choices(
        pool: Pool, slots: list[int], intent: Intent, seen: Observed, beside: list[Found], replaced: dict[int, Found]
    ) -> dict[int, placing.Choice]:
        """Slot → the offers that it has. A gang ends whole before its successors are launched, other instances one by one."""
        made: dict[Any, placing.Choice] = {}
        found = {}
        for slot in slots:
            ending = list(replaced.values()) if pool.together else [replaced[slot]] if slot in replaced else []
            key = tuple(placing.quota_of(one) for one in ending)
            if key not in made:
                made[key] = placing.choose(pool, intent, seen, len(slots), beside, ending)
            found[slot] = made[key]
        return found

    def aside(self, intent: Intent, seen: Observed) -> list[Change]:
        return [line for pool in intent.stack.pools or () for line in terms.left_empty(pool, seen)]

    def refused(self, change: Change, intent: Intent, seen: Observed) -> str:
        return power.refused(change, seen)

    def ending(self, change: Change, seen: Observed) -> str:
        return terms.over_at_once(change, seen)

    def surplus(self, found: Found, intent: Intent) -> bool:
        """``count`` is the declaration of a pool's size: no ``prune`` is needed to shrink it."""
        declared = found.facts["pool"] in [pool.name for pool in intent.stack.pools or ()]
        return declared and (found.facts["slot"] is not None or "surplus" in found.facts)

    def parting(self, found: Found, intent: Intent, seen: Observed) -> str:
        pool = next((pool for pool in intent.stack.pools or () if pool.name == found.facts["pool"]), None)
        return value.why(found, pool, intent.control.force, seen) if pool is not None and found.facts["slot"] is not None else ""

    def settle(self, change: Change, intent: Intent, seen: Observed) -> Change:
        if change.wish.adopts is not None:
            change = adoption.settle(change, self.note(change.found, change.wish, seen))
        return changing.settle(terms.settle(change), intent.control.force, seen)

    def careful(self, change: Change) -> bool:
        return change.wish is not None and ("replaces" in change.wish.make or changing.TYPE in change.fields)

    def renew_all(self, act: Any, changes: list[Change]) -> None:
        renewal.renew_all(self, act, changes)

    def note(self, found: Found, wish: Wish, seen: Observed) -> str:
        pool = wish.make["pool"]
        more = launch_drift.differences(found.facts, pool, wish.make.get("group_name"))
        said = [launch.outdated(found.state, pool, seen.images.get(pool.name), more)]
        if found.facts["status"] in ("stopping", "stopped") and pool.power == "unmanaged":
            said.append(f"{found.facts['status']}: it counts as present and is not started")
        said.append(terms.note(found, pool))
        return "; ".join(one for one in said if one)

    def guard(self, found: Found, intent: Intent) -> str:
        shield = value.shield(found, intent.control.force)
        return f"{found.id} {shield}; name its pool in force: [{found.facts['pool']}] to end it all the same" if shield else ""

    def leaves(self, found: Found) -> str:
        return launch_drift.staying(found.facts)

    def examine(self, reader: Reader, found: Found) -> None:
        answer = reader.client("ec2").describe_instance_attribute(InstanceId=found.id, Attribute="disableApiTermination")
        found.facts["protected"] = answer["DisableApiTermination"]["Value"]

    def create_all(self, act: Any, changes: list[Change]) -> None:
        """Launch all slots of all pools, and return when every instance runs."""
        launching = Launching(act, changes)
        try:
            launching.run()
        finally:
            lease.release(act, launching.batches)

    def update(self, act: Any, change: Change) -> None:
        if change.found.tags.get(terms.ENFORCE) == "scheduler" and not terms.scheduled(change.wish.make["pool"]):
            schedule.forget(act, change.id)  # before the tag that leads to it: nobody would find it again, and it would end the instance
        if {"http_tokens", "hop_limit"} & set(change.fields):
            act.call(
                "ec2", "modify_instance_metadata_options", InstanceId=change.id, HttpTokens="required", HttpPutResponseHopLimit=HOP_LIMIT
            )
        lease.update(act, change)
        if change.action == "adopt":
            adoption.tag(act, change)
            act.ids[Ref(self.name, change.name)] = change.id
            schedule.launched(act, [change])
        elif change.tags:
            parts = change.found.facts["parts"]
            act.call("ec2", "create_tags", Resources=[change.id], Tags=to_list(change.tags))
            shared = {key: value for key, value in change.tags.items() if key != "mlinfra:kind"}
            if shared and parts:
                act.call("ec2", "create_tags", Resources=parts, Tags=to_list(shared))
        if "power" in change.fields:
            power.switch(act, change)

    def delete_all(self, act: Any, changes: list[Change]) -> None:
        """End them with one request, and return when they are gone: what they use cannot be removed before."""
        ids = [change.id for change in changes]
        for change in changes:
            if change.found.facts.get("protected"):
                act.call("ec2", "modify_instance_attribute", InstanceId=change.id, DisableApiTermination={"Value": False})
        for start in range(0, len(ids), 1000):
            act.call("ec2", "terminate_instances", InstanceIds=ids[start : start + 1000])

        def done() -> bool:
            return all(raw["State"]["Name"] == "terminated" for raw in read_instances(act.reader, ids))

        act.wait(f"ending {len(ids)} instances", done)


def _part(attachment: dict[str, Any], key: str = "DeleteOnTermination") -> bool:
    """Whether it came with the launch and goes with the instance: what others attach later stays theirs, and is not tagged."""
    return bool(attachment.get(key)) and attachment.get("DeleteOnTermination") is not False


def _market(raw: dict[str, Any]) -> str:
    """How it is paid for: only spot and capacity blocks have a lifecycle."""
    lifecycle = raw.get("InstanceLifecycle", "")
    if lifecycle in ("spot", "capacity-block"):
        return lifecycle.replace("-", "_")
    return "reservation" if raw.get("CapacityReservationId") else "on_demand"


def _found(raw: dict[str, Any], tags: dict[str, str], owned: bool, of_fleets: Mapping[str, Optional[int]]) -> Found:
    slots = placing.slots_of(tags.get(SLOTS, ""))
    pool = tags.get(POOL, "")
    slot = of_fleets.get(raw["InstanceId"]) if FLEET in tags else placing.slot_of(tags, int(raw.get("AmiLaunchIndex", 0) or 0))
    slot = slot if pool else None
    status = raw["State"]["Name"]
    options = raw.get("MetadataOptions") or {}
    state = {
        "instance_type": raw["InstanceType"],
        "image_id": raw["ImageId"],
        "zone": raw["Placement"]["AvailabilityZone"],
        "http_tokens": options.get("HttpTokens", "required"),
        "hop_limit": options.get("HttpPutResponseHopLimit", HOP_LIMIT),
        **power.found_state(status),
        **terms.found_state(tags, options.get("InstanceMetadataTags")),
    }
    facts = {
        "pool": pool,
        "slot": slot,
        "slots": slots or [one for one in [slot] if one is not None],
        "status": status,
        "says_slot": FLEET in tags,
        "market": _market(raw),
        "architecture": raw.get("Architecture", "x86_64"),
        "root": raw.get("RootDeviceType", "ebs"),
        "private_ip": raw.get("PrivateIpAddress"),
        "parts": [one["Ebs"]["VolumeId"] for one in raw.get("BlockDeviceMappings", []) if _part(one.get("Ebs", {}), "VolumeId")]
        + [one["NetworkInterfaceId"] for one in raw.get("NetworkInterfaces", []) if _part(one.get("Attachment", {}))],
    }
    facts.update(launch_drift.facts_of(raw))
    name = f"{pool}-{slot}" if slot is not None else raw["InstanceId"]
    if status in ENDED:
        facts["ended"], owned = owned, False  # counts as gone; its id keeps a slot's next token from being the same
    return Found("instance", name, raw["InstanceId"], state, tags, owned, facts=facts)
