# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets: the request, the answer, whose slot is whose, and how old an answer is."""

from __future__ import annotations

import base64
import datetime

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import fleet, fleet_answer, fleet_slots, provenance, spot
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

SCOPE = Scope("123456789012", "us-east-1", "vision", "dev")
A, B = Offer("g5.xlarge", "us-east-1a", "spot", 0.4), Offer("g6.xlarge", "us-east-1b", "spot", 0.3)


def params(offer, interfaces=1, **more):
    nics = [{"DeviceIndex": index, "SubnetId": f"subnet-{offer.zone[-1]}", "Groups": ["sg-1"]} for index in range(interfaces)]
    tags = [{"Key": "mlinfra:kind", "Value": "instance"}, {"Key": "Name", "Value": "x"}]
    return {
        "ImageId": "ami-1", "InstanceType": offer.instance_type, "MinCount": 1, "MaxCount": 2, "NetworkInterfaces": nics,
        "UserData": "#!/bin/sh\n", "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.5"}}, **more,
    }  # fmt: skip


def made(*requests, count=2, least=1, together=False):
    return fleet.fleet(SCOPE, "123456789012", {"mlinfra:kind": "fleet"}, requests, count, least, together)


def test_a_request_over_all_offers():
    whole = made((A, params(A)), (B, params(B)))
    (name,) = whole.templates
    (config,) = whole.params["LaunchTemplateConfigs"]
    assert config["LaunchTemplateSpecification"] == {"LaunchTemplateName": name, "Version": "1"}
    assert config["Overrides"] == [
        {"InstanceType": "g5.xlarge", "SubnetId": "subnet-a", "MaxPrice": "0.5"},
        {"InstanceType": "g6.xlarge", "SubnetId": "subnet-b", "MaxPrice": "0.5"},
    ]
    assert whole.params["SpotOptions"] == {"AllocationStrategy": "price-capacity-optimized", "InstanceInterruptionBehavior": "terminate"}
    assert whole.params["TargetCapacitySpecification"]["SpotTargetCapacity"] == 2 and whole.params["Type"] == "instant"
    data = whole.templates[name]
    assert not {"MinCount", "MaxCount", "InstanceType", "InstanceMarketOptions"} & set(data)
    assert base64.b64decode(data["UserData"]) == b"#!/bin/sh\n" and "SubnetId" not in data["NetworkInterfaces"][0]
    spot_request = next(one for one in data["TagSpecifications"] if one["ResourceType"] == "spot-instances-request")
    assert {"Key": "mlinfra:kind", "Value": "spot_request"} in spot_request["Tags"]


def test_types_that_are_laid_out_differently_have_a_template_each():
    whole = made((A, params(A)), (B, params(B, interfaces=4)))
    assert len(whole.templates) == 2 and len(whole.params["LaunchTemplateConfigs"]) == 2


def test_a_gang_is_said_to_be_one():
    options = made((A, params(A)), count=4, least=3, together=True).params["SpotOptions"]
    assert (options["SingleAvailabilityZone"], options["SingleInstanceType"], options["MinTargetCapacity"]) == (True, True, 3)


def test_the_name_of_a_template_is_its_content():
    one, same, other = made((A, params(A))), made((A, params(A))), made((A, params(A, ImageId="ami-2")))
    assert list(one.templates) == list(same.templates) != list(other.templates)
    assert list(one.templates)[0].startswith("mlinfra-") and len(list(one.templates)[0]) <= 128
    assert list(made((A, params(A))).templates) == list(made((B, params(B))).templates), "type and subnet are the fleet's"


def overridden(offer, subnet):
    return {"LaunchTemplateAndOverrides": {"Overrides": {"InstanceType": offer.instance_type, "SubnetId": subnet}}}


def test_what_the_answer_says():
    whole = made((A, params(A)), (B, params(B)))
    answer = {
        "Instances": [
            {**overridden(B, "subnet-b"), "InstanceIds": ["i-3", "i-1"], "InstanceType": "g6.xlarge"},
            {**overridden(A, "subnet-a"), "InstanceIds": ["i-2"]},
        ],
        "Errors": [{**overridden(A, "subnet-a"), "ErrorCode": "C", "ErrorMessage": "m"}, {"ErrorCode": "D"}],
    }
    assert fleet.launched(answer, whole) == [("i-1", B), ("i-2", A), ("i-3", B)]
    assert fleet.refused(answer, whole) == [fleet.Refusal(A, "C", "m"), fleet.Refusal(None, "D", "")]
    assert fleet.launched({}, whole) == [] and fleet.refused({}, whole) == []


def test_what_runs_is_never_dropped_for_want_of_a_subnet():
    whole = made((A, params(A)), (B, params(B)))
    told = {"LaunchTemplateAndOverrides": {"Overrides": {"AvailabilityZone": "us-east-1b"}}, "InstanceType": "g6.xlarge"}
    assert fleet.launched({"Instances": [{**told, "InstanceIds": ["i-1"]}]}, whole) == [("i-1", B)]


def test_the_order_of_prices_makes_no_other_request():
    assert made((A, params(A)), (B, params(B))).params == made((B, params(B)), (A, params(A))).params


def instance(number, slot=None, state="running", fleet_id="fleet-1", slots="4-6"):
    tags = {"aws:ec2:fleet-id": fleet_id, "mlinfra:slots": slots, **({"mlinfra:slot": slot} if slot else {})}
    named = [{"Key": key, "Value": value} for key, value in tags.items() if value is not None]
    return {"InstanceId": f"i-{number}", "State": {"Name": state}, "Tags": named}


@pytest.mark.parametrize(
    ("raws", "slots"),
    [
        ([instance(2), instance(1), instance(3)], {"i-1": 4, "i-2": 5, "i-3": 6}),
        ([instance(1, "6"), instance(2)], {"i-1": 6, "i-2": 4}),
        ([instance(1, state="terminated"), instance(2)], {"i-2": 4}),
        ([instance(1, slots="4"), instance(2, slots="4")], {"i-1": 4, "i-2": None}),
        ([instance(1), instance(2, fleet_id="fleet-2")], {"i-1": 4, "i-2": 4}),
        ([instance(1, fleet_id=None)], {}),
        ([instance(1, slots="x")], {"i-1": None}),
    ],
)
def test_whose_slot_is_whose(raws, slots):
    assert fleet_slots.fleet_slots(raws) == slots


def test_whose_token_counts():
    own = {"ClientToken": "mlinfra-own"}
    assert provenance.token_of(own, None, {}) == "mlinfra-own"
    assert provenance.token_of(own, "fleet-1", {"fleet-1": "theirs"}) == "theirs", "a fleet's instance is the fleet's"
    assert provenance.token_of(own, "fleet-2", {}) == "" and provenance.token_of({}, None, {}) == ""


def test_a_seal_counts_only_for_a_fleet_that_is_forgotten_and_on_its_own_instance():
    raw, tags = {"InstanceId": "i-1", "ClientToken": ""}, {"aws:ec2:fleet-id": "fleet-1", "mlinfra:launched": provenance.seal("p-", "i-1")}
    assert provenance.launched_by(raw, tags, {}, "p-") and not provenance.launched_by({**raw, "InstanceId": "i-2"}, tags, {}, "p-")
    assert not provenance.launched_by(raw, tags, {}, "q-") and not provenance.launched_by(raw, tags, {"fleet-1": "theirs"}, "p-")
    assert provenance.launched_by(raw, {"aws:ec2:fleet-id": "fleet-1"}, {"fleet-1": "p-token"}, "p-")
    assert not provenance.launched_by(raw, {"mlinfra:launched": tags["mlinfra:launched"]}, {}, "p-"), "without a fleet the own token counts"


class Unknown(Exception):
    response = {"Error": {"Code": "InvalidFleetId.NotFound"}}


class Ec2:
    def __init__(self):
        self.asked = []

    def describe_fleets(self, FleetIds):
        self.asked.append(FleetIds)
        if "fleet-gone" in FleetIds:
            raise Unknown
        return {"Fleets": [{"FleetId": one, "ClientToken": f"t-{one}"} for one in FleetIds]}


def test_a_fleet_that_is_gone_hides_no_other():
    ec2 = Ec2()
    assert provenance.fleet_tokens(ec2, ["fleet-gone", "fleet-1", "fleet-1"]) == {"fleet-1": "t-fleet-1"}
    assert provenance.fleet_tokens(Ec2(), []) == {}
    many = Ec2()
    assert len(provenance.fleet_tokens(many, [f"fleet-{number}" for number in range(150)])) == 150 and len(many.asked) == 2


def test_the_age_of_an_answer_is_told_by_the_clock_of_aws():
    created = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
    assert fleet_answer.age(created, "Thu, 26 Nov 2026 12:02:00 GMT") == 120
    assert fleet_answer.age(datetime.datetime.now(datetime.UTC), None) < 5
    assert fleet_answer.age(datetime.datetime.now(datetime.UTC), "nonsense") < 5


@pytest.mark.parametrize(
    ("age", "there", "marked", "expected"),
    [
        (10, False, False, False),
        (86400, False, False, True),
        (86400, True, True, True),
        (None, False, False, True),
        (None, False, True, False),
        (None, True, False, False),
    ],
)
def test_which_fleets_are_not_of_this_attempt(age, there, marked, expected):
    answer = fleet_answer.Answer("fleet-1", [("i-1", A)] if there else [], [], None, age)
    assert spot.old(answer, marked) is expected


def test_attempts_within_some_minutes_are_one():
    begun = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
    assert spot.attempt(begun) == spot.attempt(begun + datetime.timedelta(minutes=9, seconds=59))
    assert spot.attempt(begun) != spot.attempt(begun + datetime.timedelta(minutes=10))


def test_instances_as_a_fleets_answer_has_them():
    raws = [{"InstanceId": "i-2", "InstanceType": "g5.xlarge", "SubnetId": "subnet-a"}]
    raws += [{"InstanceId": "i-1", "InstanceType": "g6.xlarge", "Placement": {"AvailabilityZone": "us-east-1b"}}]  # ended: it has no subnet
    whole = made((A, params(A)), (B, params(B)))
    assert fleet.launched({"Instances": fleet_answer.as_launched(raws)}, whole) == [("i-1", B), ("i-2", A)]
