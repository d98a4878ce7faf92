# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: when they begin, what carries them, what happens when they are over, renewed, added or taken away."""

from __future__ import annotations

import base64
import json
import time
import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import model
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import epoch
from tests.integration_aws.pools import BOOKWORM

RECORD = "/mlinfra/vision/dev/leases/train"
HOUR = 3600


def pool(**more):
    return {"name": "train", "count": 2, "instance_types": ["t3.large"], "image": BOOKWORM, **more}


@pytest.fixture
def go(lab):
    """``go({"expire": "3h"}, …)`` runs the stack with one pool of two t3.large with that lease."""

    def run(lease=None, check=False, more=None, **options):
        given = {"lease": lease} if lease else {}
        return lab.pools(pool(**given, **options), check=check, **(more or {}))

    return run


@pytest.fixture
def clock(monkeypatch):
    """``clock(seconds)`` lets that much more time have passed, for the engine."""
    passed = [0]
    monkeypatch.setattr(model, "time", types.SimpleNamespace(time=lambda: time.time() + passed[0]))

    def turn(seconds):
        passed[0] += seconds

    return turn


def tags(lab, instance_id):
    return {tag["Key"]: tag["Value"] for raw in lab.instances() if raw["InstanceId"] == instance_id for tag in raw["Tags"]}


def record(lab):
    return json.loads(lab.client("ssm").get_parameter(Name=RECORD)["Parameter"]["Value"])["slots"]


def attribute(lab, instance_id, name):
    return lab.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute=name)


def line(told, name, kind="instance"):
    return next(line for line in told["plan"] if (line["kind"], line["name"]) == (kind, name))


def left(lab, instance_id):
    return epoch(tags(lab, instance_id)["mlinfra:expires"]) - time.time()


def end(lab, *ids):
    lab.client("ec2").terminate_instances(InstanceIds=list(ids))


def test_a_launch_with_a_lease_carries_its_end_and_the_timer(lab, go):
    told = go({"expire": "3h"}, check=True)
    assert line(told, "train-0")["after"]["enforced"] == "host" and line(told, "train-0")["after"]["expires"]
    assert line(told, "train", "lease")["action"] == "create"
    told = go({"expire": "3h"})
    first, second = told["outputs"]["pools"]["train"]["instance_ids"]
    assert 2.9 * HOUR < left(lab, first) <= 3 * HOUR and tags(lab, first)["mlinfra:timer"] == "terminate"
    assert attribute(lab, first, "instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    data = base64.b64decode(attribute(lab, first, "userData")["UserData"]["Value"]).decode()
    assert "mlinfra-lease.timer" in data
    (raw,) = [raw for raw in lab.instances() if raw["InstanceId"] == second]
    assert raw["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
    assert [group["slots"] for group in record(lab)] == ["0-1"]
    again = go({"expire": "3h"})
    assert not again["changed"] and again["warnings"] == []
    assert line(again, "train-0")["before"]["enforced"] == "host" and "ended by host" in line(again, "train-0")["reason"]


def test_spot_launched_by_a_fleet_has_all_of_it(lab, go):
    first, _second = go({"expire": "3h"}, market=["spot"])["outputs"]["pools"]["train"]["instance_ids"]
    (raw,) = [raw for raw in lab.instances() if raw["InstanceId"] == first]
    assert raw["InstanceLifecycle"] == "spot" and raw["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
    assert tags(lab, first)["mlinfra:timer"] == "terminate" and left(lab, first) > 2.9 * HOUR
    assert "mlinfra-lease.timer" in base64.b64decode(attribute(lab, first, "userData")["UserData"]["Value"]).decode()
    assert attribute(lab, first, "instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    assert not go({"expire": "3h"}, market=["spot"])["changed"]


def test_spot_that_the_scheduler_ends(lab, go):
    ids = go({"expire": "3h", "enforce": "scheduler"}, market=["spot"])["outputs"]["pools"]["train"]["instance_ids"]
    assert sorted(json.loads(one["Target"]["Input"])["InstanceIds"][0] for one in schedules(lab)) == sorted(ids)
    assert not go({"expire": "3h", "enforce": "scheduler"}, market=["spot"])["changed"]


def test_the_same_plan_has_the_same_id_at_another_time(lab, go, clock):
    plan = go({"expire": "3h"}, check=True)["plan_id"]
    clock(600)
    assert go({"expire": "3h"}, check=True)["plan_id"] == plan
    assert go({"expire": "4h"}, check=True)["plan_id"] != plan
    assert go({"expire": "3h"}, more={"expect_plan": plan})["changed"]


def test_an_expired_slot_stays_empty_until_the_lease_is_renewed(lab, go, clock, actions):
    ids = go({"expire": "3h"})["outputs"]["pools"]["train"]["instance_ids"]
    clock(3 * HOUR)
    end(lab, *ids)
    told = go({"expire": "3h"})
    assert not told["changed"] and actions(told) == [("instance", "train-0", "pending"), ("instance", "train-1", "pending")]
    assert "launched again when pools.train.lease.renew changes" in line(told, "train-0")["reason"]
    told = go({"expire": "3h", "renew": "again"})
    assert told["summary"]["create"] == 2 and len(lab.alive()) == 2
    assert not go({"expire": "3h", "renew": "again"})["changed"]
    assert record(lab)[0]["renew"] == "again"


def test_a_slot_that_loses_its_instance_goes_on_with_the_rest_of_its_lease(lab, go, clock):
    first, _second = go({"expire": "3h"})["outputs"]["pools"]["train"]["instance_ids"]
    until = tags(lab, first)["mlinfra:expires"]
    clock(HOUR)
    end(lab, first)
    told = go({"expire": "3h"})
    (new,) = set(told["outputs"]["pools"]["train"]["instance_ids"]) - {first, _second}
    assert tags(lab, new)["mlinfra:expires"] == until


def test_renewing_moves_the_end_of_those_that_live(lab, go, clock):
    first, second = go({"expire": "3h"})["outputs"]["pools"]["train"]["instance_ids"]
    clock(HOUR)
    told = go({"expire": "3h", "renew": "friday"})
    assert told["summary"] == {"keep": told["summary"]["keep"], "update": 3}
    assert 3.9 * HOUR < left(lab, first) <= 4 * HOUR + 60 and tags(lab, second)["mlinfra:expires"] == tags(lab, first)["mlinfra:expires"]
    assert not go({"expire": "3h", "renew": "friday"})["changed"]


def test_a_run_killed_after_the_record_was_written_launches_the_same(lab, go, clock):
    """The record stands, nothing was launched: the next run sends the same request, which EC2 knows again if it got it after all."""
    lab.aws.fault(service="ec2", action="RunInstances", after_effect=True, drop=True, times=0)
    with pytest.raises(StackError):
        go({"expire": "3h"}, count=1)
    (made,) = lab.alive()
    began = record(lab)
    lab.aws.control("DELETE", "faults")
    lab.client("ec2").delete_tags(Resources=[made], Tags=[{"Key": "mlinfra:stack"}])  # as if it were not to be seen yet
    clock(HOUR)
    told = go({"expire": "3h"}, count=1)
    assert told["outputs"]["pools"]["train"]["instance_ids"] == [made] and lab.alive() == [made] and record(lab) == began


def test_what_could_not_be_had_has_not_begun(lab, go, clock):
    lab.aws.fault(service="ec2", action="RunInstances", code="InsufficientInstanceCapacity", message="none", times=0)
    with pytest.raises(StackError, match="no offer is left"):
        go({"expire": "3h"})
    assert lab.client("ssm").get_parameters_by_path(Path="/mlinfra/vision/dev", Recursive=True)["Parameters"] == []
    told = go({"expire": "3h"}, min=0)
    assert not told["changed"] and told["summary"]["pending"] == 3
    lab.aws.control("DELETE", "faults")
    clock(4 * HOUR)
    first, _second = go({"expire": "3h"})["outputs"]["pools"]["train"]["instance_ids"]
    assert left(lab, first) > 6 * HOUR


def test_a_lease_for_instances_that_have_none_is_not_enforced_and_the_plan_says_so(lab, go):
    first, _second = go()["outputs"]["pools"]["train"]["instance_ids"]
    told = go({"expire": "3h", "idle": "1h", "on_idle": "terminate"})
    assert told["summary"]["update"] == 2 and 2.9 * HOUR < left(lab, first) <= 3 * HOUR
    for result in (told, go({"expire": "3h", "idle": "1h", "on_idle": "terminate"})):
        (warning,) = result["warnings"]
        assert "pools.train.lease.expire is not enforced for train-0 (" in warning and "run the playbook reap" in warning
    assert not result["changed"] and line(result, "train-0")["before"]["enforced"] == "nobody"


def test_a_lease_that_is_taken_away_leaves_nothing(lab, go):
    first, _second = go({"expire": "3h", "idle": "1h", "on_idle": "terminate"})["outputs"]["pools"]["train"]["instance_ids"]
    told = go()
    assert line(told, "train-0")["before"].keys() == {"expires", "idle"} and line(told, "train-0")["after"] == {
        "expires": None,
        "idle": None,
    }
    assert line(told, "train", "lease")["action"] == "delete"
    assert not {"mlinfra:expires", "mlinfra:idle", "mlinfra:enforce"} & tags(lab, first).keys()
    assert lab.client("ssm").get_parameters_by_path(Path="/mlinfra/vision/dev/leases")["Parameters"] == []
    assert not go()["changed"]


def test_the_shutdown_behaviour_follows_the_lease(lab, go):
    first, _second = go({"idle": "1h"})["outputs"]["pools"]["train"]["instance_ids"]
    assert tags(lab, first)["mlinfra:timer"] == "stop" and tags(lab, first)["mlinfra:idle"] == "3600"
    go({"idle": "1h", "on_idle": "terminate"})
    assert attribute(lab, first, "instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    assert tags(lab, first)["mlinfra:timer"] == "terminate"
    assert not go({"idle": "1h", "on_idle": "terminate"})["changed"]


def test_a_host_that_would_stop_itself_and_lose_data_is_not_launched(lab, go):
    with pytest.raises(StackError, match=r"pools.train.lease.on_idle is stop: g5.xlarge has instance store.*on_idle: terminate"):
        go({"idle": "1h"}, instance_types=["g5.xlarge"])
    assert go({"idle": "1h"}, instance_types=["g5.xlarge"], data_loss="accepted")["summary"]["create"]


def schedules(lab):
    client = lab.client("scheduler")
    return [client.get_schedule(Name=one["Name"]) for one in client.list_schedules()["Schedules"]]


def roles(lab):
    return sorted(role["RoleName"] for role in lab.client("iam").list_roles()["Roles"] if "-leases" in role["RoleName"])


def test_the_scheduler_ends_instances(lab, go, clock):
    lease = {"expire": "3h", "enforce": "scheduler"}
    told = go(lease, check=True)
    assert line(told, "train-0", "schedule")["action"] == "create" and line(told, "leases", "schedule_role")["action"] == "create"
    ids = go(lease)["outputs"]["pools"]["train"]["instance_ids"]
    assert sorted(json.loads(one["Target"]["Input"])["InstanceIds"][0] for one in schedules(lab)) == sorted(ids)
    one = schedules(lab)[0]
    assert one["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances" and one["ActionAfterCompletion"] == "DELETE"
    assert one["Target"]["RoleArn"] == "arn:aws:iam::123456789012:role/mlinfra/vision/dev/vision-dev-leases-us-east-1"
    assert attribute(lab, ids[0], "userData")["UserData"].get("Value") is None, "no timer is needed"
    again = go(lease)
    assert not again["changed"] and line(again, "train-0")["before"]["enforced"] == "scheduler" and again["warnings"] == []
    clock(HOUR)
    assert go({**lease, "renew": "more"})["summary"]["update"] == 5
    assert {epoch(one["ScheduleExpression"][3:-1] + "Z") - time.time() > 3.9 * HOUR for one in schedules(lab)} == {True}
    told = go({**lease, "renew": "more"}, count=1, more={"max_delete": 1})
    assert told["summary"]["delete"] == 2 and len(schedules(lab)) == 1
    lab.end()
    assert schedules(lab) == [] and lab.alive() == []
    assert roles(lab) == []


def test_the_scheduler_ends_what_was_launched_without_a_lease(lab, go):
    go()
    told = go({"expire": "3h", "enforce": "scheduler"})
    assert len(schedules(lab)) == 2 and told["warnings"] == []
    go()
    assert schedules(lab) == [], "a lease that is taken away must not end anything"


def test_a_schedule_goes_before_the_tag_that_leads_to_it(lab, go):
    go({"expire": "3h", "enforce": "scheduler"}, count=1)
    lab.aws.fault(service="scheduler", action="DeleteSchedule", code="AccessDeniedException", message="no", status=403, times=1)
    with pytest.raises(StackError, match="scheduler:DeleteSchedule"):
        go(count=1)
    assert len(schedules(lab)) == 1 and tags(lab, lab.alive()[0])["mlinfra:enforce"] == "scheduler", "the next run finds it"
    go(count=1)
    assert schedules(lab) == [] and len(lab.alive()) == 1 and not go(count=1)["changed"]


def test_a_pool_that_is_not_declared_any_more_keeps_the_ends_of_its_instances(lab, go):
    go({"expire": "3h", "enforce": "scheduler"}, count=1)
    other = {"pools": [{**pool(count=1), "name": "other"}]}
    told = go(more=other)
    assert [found["action"] for found in told["plan"] if found["kind"] == "schedule"] == ["keep"] and len(schedules(lab)) == 1
    assert not go(more=other)["changed"]


def test_the_end_is_scheduled_before_the_instance_runs(lab, go):
    lab.aws.fault(service="scheduler", action="CreateSchedule", code="InternalServerException", message="broken", status=500, times=0)
    with pytest.raises(StackError, match="scheduler:CreateSchedule"):
        go({"expire": "3h", "enforce": "scheduler"}, count=1)
    lab.aws.control("DELETE", "faults")
    assert len(lab.alive()) == 1 and schedules(lab) == []
    told = go({"expire": "3h", "enforce": "scheduler"}, count=1)
    assert told["summary"]["create"] == 1 and len(schedules(lab)) == 1


def test_what_ends_before_it_runs_leaves_no_schedule(lab, go):
    lab.aws.fault(service="ec2", action="RunInstances", terminate="Server.InsufficientInstanceCapacity: none", times=0)
    with pytest.raises(StackError):
        go({"expire": "3h", "enforce": "scheduler"}, count=1)
    assert schedules(lab) == []


def test_schedules_run_when_they_are_due(lab, go):
    """The emulator's scheduler executes; how soon AWS' own does is documented there: within the minute."""
    (one,) = go({"expire": "3h", "enforce": "scheduler"}, count=1)["outputs"]["pools"]["train"]["instance_ids"]
    (made,) = schedules(lab)
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))
    keep = ("Name", "GroupName", "FlexibleTimeWindow", "State", "Target", "ActionAfterCompletion")
    lab.client("scheduler").update_schedule(**{key: made[key] for key in keep}, ScheduleExpression=f"at({soon})")
    deadline = time.monotonic() + 60
    while lab.alive() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert lab.alive() == [] and one


def test_without_a_lease_nothing_more_is_asked(lab, go):
    go()
    lab.calls()
    go()
    plain = lab.calls()
    assert not {name for name in plain if name.startswith(("ssm:", "scheduler:"))}
    go({"expire": "3h"})
    lab.calls()
    go({"expire": "3h"})
    assert {name: count for name, count in lab.calls().items() if plain.get(name) != count} == {"ssm:GetParametersByPath": 1}


def test_a_record_whose_answer_was_lost_is_taken_back_too(lab, go):
    """It is handed to the launches before the call: they take out of it what they could not have, whatever the call answered."""
    lab.aws.fault(service="ssm", action="PutParameter", match="leases", code="InternalServerError", status=500, after_effect=True)
    lab.aws.fault(service="ec2", action="RunInstances", code="InsufficientInstanceCapacity", message="none", times=0)
    with pytest.raises(StackError, match="no offer is left"):
        go({"expire": "3h"})
    assert lab.client("ssm").get_parameters_by_path(Path="/mlinfra/vision/dev/leases")["Parameters"] == []


def test_an_end_in_the_past_ends_hosts_and_is_bounded_like_a_deletion(lab, go, clock):
    first, second = go({"expire": "3d"})["outputs"]["pools"]["train"]["instance_ids"]
    clock(10 * 60)
    before = tags(lab, first)["mlinfra:expires"]
    told = go({"expire": "5m"}, check=True)
    assert [line(told, name)["action"] for name in ("train-0", "train-1")] == ["blocked", "blocked"]
    assert before in line(told, "train-0")["reason"] and "max_delete is 0 and 2 " in line(told, "train-0")["reason"]
    with pytest.raises(StackError, match="has passed, instead of"):
        go({"expire": "5m"})
    assert tags(lab, first)["mlinfra:expires"] == before
    told = go({"expire": "1h"}, check=True)
    assert line(told, "train-0")["action"] == "update" and f"instead of {before}" in line(told, "train-0")["reason"]
    go({"expire": "5m"}, more={"max_delete": 2})
    assert epoch(tags(lab, second)["mlinfra:expires"]) < time.time() + 10 * 60
