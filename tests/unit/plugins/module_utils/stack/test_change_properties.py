# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds whatever a pool has and whatever size it is to be: the right number stays, and never is one ended that is protected."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import value
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import observe as observing
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Found, Observed
from tests.unit.plugins.module_utils.stack.test_plan_properties import KEY, ZONES, account, applied, intent_of

FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NETWORK = {"cidr": "10.42.0.0/16", "zone_names": list(ZONES), "access": {"cidrs": ["192.0.2.0/24"]}}
IMAGE = "ami-0123456789abcdef0"

INSTANCES = st.lists(
    st.fixed_dictionaries(
        {
            "slot": st.integers(0, 9),
            "zone": st.sampled_from(ZONES),
            "type": st.sampled_from(["g5.xlarge", "g6.xlarge"]),
            "image": st.sampled_from([IMAGE, "ami-0fedcba9876543210"]),
            "status": st.sampled_from(["running", "stopped", "stopping", "pending"]),
            "market": st.sampled_from(["spot", "on_demand", "reservation"]),
            "protected": st.booleans(),
            "tags": st.dictionaries(
                st.sampled_from(["mlinfra:protect", "mlinfra:expires"]),
                st.sampled_from(["", "false", "yes", "2031-01-01T00:00:00Z", "2030-12-31T23:00:00+00:00"]),
            ),
        }
    ),
    max_size=8,
    unique_by=lambda one: one["slot"],
)
STRANGERS = st.lists(st.sampled_from(ZONES), max_size=3)
POLICIES = st.sampled_from(["keep", "refuse", "in_place", "replace"])


def declared(count: int, strangers: list[str], **more: Any) -> dict[str, Any]:
    adopt = [f"i-{number:017x}" for number in range(100, 100 + len(strangers))]
    pool = {"name": "train", "count": count, "instance_types": ["g5.xlarge"], "image": {"id": IMAGE}, "adopt": adopt}
    return {"network": NETWORK, "key": {"public_key": KEY}, "pools": [{**pool, **more}], "max_delete": 99}


def there(instances: list[dict[str, Any]], strangers: list[str]) -> Observed:
    """The network, the pool's instances as they were drawn, and the ones of others that it adopts."""
    seen = applied(intent_of(declared(0, [])), account())
    seen.type_facts = account().type_facts
    state = {"http_tokens": "required", "hop_limit": 2}
    for one in instances:
        slot = one["slot"]
        facts = {"pool": "train", "slot": slot, "slots": [slot], "status": one["status"], "market": one["market"], "private_ip": None}
        told = {**state, "instance_type": one["type"], "image_id": one["image"], "zone": one["zone"]}
        found = Found("instance", f"train-{slot}", f"i-{slot:017x}", told, dict(one["tags"]), True, facts=facts)
        found.facts["ec2"] = one["protected"]
        seen.found["instance"].append(found)
    subnets = {found.state["zone"]: found.id for found in seen.of("subnet")}
    for number, zone in enumerate(strangers, 100):
        id = f"i-{number:017x}"
        told = {**state, "http_tokens": "optional", "instance_type": "g5.xlarge", "image_id": IMAGE, "zone": zone}
        launch = {"subnet": subnets[zone], "key": None, "profile": None, "groups": []}
        facts = {"pool": "", "slot": None, "slots": [], "status": "running", "private_ip": None, "adopt": "train", "unrelated": True}
        seen.found["instance"].append(Found("instance", id, id, told, {}, facts={**facts, "launch": launch, "parts": []}))
    return seen


class Reader:
    """Tells what EC2 protects, and counts how often that was asked."""

    def __init__(self, intent: Any) -> None:
        self.intent = intent
        self.asked: list[str] = []
        self.protected: dict[str, bool] = {}

    def client(self, _service: str) -> Reader:
        return self

    def describe_instance_attribute(self, InstanceId: str, Attribute: str) -> dict[str, Any]:
        self.asked.append(InstanceId)
        return {"DisableApiTermination": {"Value": self.protected[InstanceId]}}

    def together(self, *calls: Any) -> list[Any]:
        return [call() for call in calls]


def looked_at(intent: Any, seen: Observed) -> Reader:
    """Ask about protection as a run does, so that only those are known that it asks for."""
    reader = Reader(intent)
    reader.protected = {found.id: found.facts.get("ec2", False) for found in seen.of("instance")}
    observing._for_departures(reader, seen)
    for kind in (one for one in observing.KINDS if one.name == "instance"):
        for found in observing._doomed(kind, intent, seen):
            kind.examine(reader, found)
    return reader


def shielded(found: Found) -> bool:
    return found.facts.get("ec2", False) or found.tags.get("mlinfra:protect", "") not in ("", "false")


@FAST
@given(INSTANCES, st.integers(0, 8), STRANGERS, POLICIES, st.booleans())
def test_the_right_number_stays_and_no_protected_one_ends(instances, count, strangers, policy, spread):
    strangers = strangers[:count] if spread else []
    seen, intent = there(instances, strangers), intent_of(declared(count, strangers, on_change=policy, spread=spread))
    try:
        looked_at(intent, seen)
        changes = planning.plan(intent, seen)
    except StackError as error:
        assert strangers and "Set count to" in error.message
        return
    gone = {one.id for one in changes if one.action in ("delete", "replace")}
    assert not gone & {found.id for found in seen.of("instance") if shielded(found)}, "a protected one is to be ended"
    ending = [one for one in changes if one.kind == "instance" and one.action == "delete"]
    blocked = [one for one in changes if one.action == "blocked"]
    if not blocked:
        assert len(ending) == max(0, len(instances) - count)
        after = applied(intent, copy.deepcopy(seen))
        alive = [found for found in after.of("instance") if found.owned]
        assert len(alive) == count and len({found.facts["slot"] for found in alive}) == count
        kept = {found.name for found in seen.of("instance") if found.owned} & {found.name for found in alive}
        assert all(after.get("instance", name).facts["slot"] == seen.get("instance", name).facts["slot"] for name in kept)
        again = [(one.name, one.action, one.reason) for one in planning.plan(intent, after) if one.acts or one.action == "blocked"]
        assert again == []
    elif policy == "keep":
        free = [found for found in seen.of("instance") if found.owned and not shielded(found)]
        assert len(free) < len(instances) - count, "only where too few others are left is a protected one in the way"


@FAST
@given(INSTANCES, st.integers(1, 8))
def test_it_is_asked_only_of_those_that_may_go(instances, count):
    seen, intent = there(instances, []), intent_of(declared(count, []))
    asked = looked_at(intent, seen).asked
    surplus = max(0, len(instances) - count)
    assert len(asked) == len(set(asked)) and len(asked) <= surplus + sum(one["protected"] for one in instances)
    assert bool(asked) == bool(surplus)


@FAST
@given(INSTANCES, st.integers(1, 8), st.randoms(use_true_random=False))
def test_who_goes_does_not_hang_on_the_order_of_an_answer(instances, count, shuffle):
    seen, intent = there(instances, []), intent_of(declared(count, []))
    other = copy.deepcopy(seen)
    shuffle.shuffle(other.found["instance"])
    pool = intent.stack.pools[0]
    assert [one.id for one in value.leaving(pool, (), seen)] == [one.id for one in value.leaving(pool, (), other)]
