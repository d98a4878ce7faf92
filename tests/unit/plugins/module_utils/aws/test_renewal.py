# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What interrupts instances: in which steps, and what EC2 says of a start that it accepted and could not carry out."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import renewal
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.instance import Instance
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.search import Search
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Image, Pool

SPREAD = Pool("serve", 2, ("t3.large",), Image(id="ami-1"))
GANG = Pool("train", 2, ("t3.large",), Image(id="ami-1"), spread=False)


def change(pool, slot, action="update", targets=(), **facts):
    name = f"{pool.name}-{slot}"
    state = {"instance_type": "t3.large", "image_id": "ami-1", "zone": "us-east-1a"}
    found = Found("instance", name, f"i-{slot}", state, owned=True, facts={"pool": pool.name, "slot": slot, "parts": [], **facts})
    wish = Wish("instance", name, make={"pool": pool, "slot": slot, "targets": targets})
    return Change("instance", name, action, id=found.id, wish=wish, found=found, fields=("instance_type",))


def test_one_after_the_other_but_a_gang_at_once():
    changes = [change(GANG, 1), change(SPREAD, 1), change(GANG, 0), change(SPREAD, 0)]
    assert [[one.name for one in step] for step in renewal.steps(changes)] == [["serve-0"], ["serve-1"], ["train-0", "train-1"]]


class Refused(Exception):
    def __init__(self, code, status=400):
        super().__init__(code)
        self.response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}


class Ec2:
    """An instance that starts as some types only; a refused start is accepted and ends in ``stopped`` again. Stands in for Act too.

    What a start does is seen a moment late: first the reason of the stop before it, then ``pending``.

    :param refuses: type → what ModifyInstanceAttribute raises for it.
    """

    def __init__(self, starts, ends=False, refuses=None):
        self.starts, self.ends, self.refuses = starts, ends, refuses or {}
        self.kind, self.state, self.reason, self.did, self.late = "t3.large", "running", {}, [], []
        self.search, self.reader = Search(), self

    def pages(self, *_call, **_params):
        state, reason = self.late.pop(0) if self.late else (self.state, self.reason)
        return [{"Instances": [{"InstanceId": "i-0", "State": {"Name": state}, "StateReason": reason}]}]

    def together(self, *calls):
        return [call() for call in calls]

    def wait(self, what, done):
        assert any(done() for _poll in range(5)), what

    @property
    def clients(self):
        return self

    def call_of(self, _error):
        return ""

    def call(self, _service, operation, **params):
        self.did.append(operation)
        if operation == "stop_instances":
            self.state = "terminated" if self.ends else "stopped"
            self.reason = {"Code": "Client.UserInitiatedShutdown"}
        elif operation == "modify_instance_attribute":
            assert self.state == "stopped"
            if params["InstanceType"]["Value"] in self.refuses:
                raise self.refuses[params["InstanceType"]["Value"]]
            self.kind = params["InstanceType"]["Value"]
        elif operation == "start_instances":
            able = self.kind in self.starts
            self.late = [("stopped", self.reason), ("pending", {})]
            self.state, self.reason = ("running", {}) if able else ("stopped", {"Code": "Server.InsufficientInstanceCapacity"})


def test_a_start_that_ec2_could_not_carry_out_leads_to_the_next_type():
    ec2 = Ec2({"t3.2xlarge"})
    one = change(SPREAD, 0, targets=("t3.xlarge", "t3.2xlarge"))
    renewal.renew_all(Instance(), ec2, [one])
    assert (ec2.kind, ec2.state, one.after) == ("t3.2xlarge", "running", {"instance_type": "t3.2xlarge"})
    assert [(tried.offer.instance_type, tried.code) for tried in ec2.search.tried] == [
        ("t3.xlarge", "Server.InsufficientInstanceCapacity"),
        ("t3.2xlarge", None),
    ]
    assert ec2.did[0] == "create_tags" and ec2.did[-1] == "delete_tags", "the tag is there as long as the instance is not"


def test_without_any_it_is_what_it_was_and_the_next_is_not_even_stopped():
    ec2 = Ec2({"t3.large"})
    with pytest.raises(StackError, match="serve-0 .i-0. does not start with another type .*it runs as t3.large again") as caught:
        renewal.renew_all(Instance(), ec2, [change(SPREAD, 0, targets=("t3.xlarge",)), change(SPREAD, 1, targets=("t3.xlarge",))])
    assert (ec2.kind, ec2.state) == ("t3.large", "running") and caught.value.details["not_begun"] == ["serve-1"]
    ec2.did = []
    with pytest.raises(StackError, match="EC2 has no capacity there now"):
        renewal.renew_all(Instance(), ec2, [change(SPREAD, 0, targets=("t3.xlarge",))])
    assert ec2.did == []


def test_somebody_ends_it_meanwhile():
    with pytest.raises(StackError, match="serve-0 .i-0. is terminated: somebody has ended it"):
        renewal.renew_all(Instance(), Ec2(set(), ends=True), [change(SPREAD, 0, targets=("t3.xlarge",))])


def test_a_gang_changes_together():
    ec2 = Ec2({"t3.xlarge"})
    pool = dataclasses.replace(GANG, count=1)
    renewal.renew_all(Instance(), ec2, [change(pool, 0, targets=("t3.xlarge",))])
    assert ec2.kind == "t3.xlarge"


TARGETS = ("t3.xlarge", "t3.2xlarge")


def test_a_type_that_ec2_refuses_leads_to_the_next():
    ec2 = Ec2({"t3.2xlarge"}, refuses={"t3.xlarge": Refused("InvalidParameterCombination")})
    renewal.renew_all(Instance(), ec2, [change(SPREAD, 0, targets=TARGETS)])
    assert (ec2.kind, ec2.state, ec2.did[-1]) == ("t3.2xlarge", "running", "delete_tags")
    assert [(tried.offer.instance_type, tried.code) for tried in ec2.search.tried] == [
        ("t3.xlarge", "InvalidParameterCombination"),
        ("t3.2xlarge", None),
    ]


def test_with_all_types_refused_it_runs_as_it_was():
    ec2 = Ec2({"t3.large"}, refuses=dict.fromkeys(TARGETS, Refused("InvalidParameterCombination")))
    said = "another type .t3.xlarge: InvalidParameterCombination; t3.2xlarge: InvalidParameterCombination.: it runs as t3.large again"
    with pytest.raises(StackError, match=said):
        renewal.renew_all(Instance(), ec2, [change(SPREAD, 0, targets=TARGETS)])
    assert (ec2.kind, ec2.state, ec2.did[-1]) == ("t3.large", "running", "delete_tags")


def test_one_that_was_stopped_stays_stopped_when_its_types_are_refused():
    ec2 = Ec2({"t3.large"}, refuses={"t3.2xlarge": Refused("Unsupported")})
    ec2.state = "stopped"
    with pytest.raises(StackError, match="does not become another type .t3.2xlarge: Unsupported.: it is stopped as t3.large, as it was"):
        renewal.renew_all(Instance(), ec2, [change(SPREAD, 0, targets=("t3.2xlarge",))])
    assert (ec2.kind, ec2.state) == ("t3.large", "stopped") and "start_instances" not in ec2.did


def test_a_missing_right_is_named_and_the_host_runs_again():
    ec2 = Ec2({"t3.large"}, refuses=dict.fromkeys(TARGETS, Refused("UnauthorizedOperation", 403)))
    with pytest.raises(StackError, match="not allowed: ec2:ModifyInstanceAttribute .*it runs as t3.large again.*Grant the IAM action"):
        renewal.renew_all(Instance(), ec2, [change(SPREAD, 0, targets=TARGETS)])
    assert (ec2.kind, ec2.state) == ("t3.large", "running")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("InvalidParameterCombination"), "InvalidParameterCombination"),
        (Refused("InsufficientInstanceCapacity", 500), "InsufficientInstanceCapacity"),
        (Refused("UnauthorizedOperation", 403), "UnauthorizedOperation"),
        (Refused("RequestLimitExceeded", 503), ""),
        (Refused("RequestExpired"), ""),
        (Refused("InternalError", 500), ""),
        (ValueError("no answer"), ""),
    ],
)
def test_what_is_a_refusal(error, code):
    assert renewal.refusal(error) == code


def test_one_that_is_turned_on_starts_once_and_as_its_new_type():
    ec2, one = Ec2({"t3.large", "t3.xlarge"}), change(SPREAD, 0, targets=("t3.xlarge",))
    ec2.state, one.fields = "stopped", ("power", "instance_type")
    one.wish.state["power"] = "running"
    renewal.renew_all(Instance(), ec2, [one])
    assert (ec2.kind, ec2.state, ec2.did) == ("t3.xlarge", "running", ["modify_instance_attribute", "start_instances"])
